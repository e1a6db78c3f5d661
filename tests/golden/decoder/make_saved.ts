/**
 * Writes each of saved_models.ts into a directory of its own below FOLDER: `deno run -A make_saved.ts FOLDER`.
 * make_saved.py runs it and loads them.
 */
import { prompts, savedModels, saveModel } from "./saved_models.ts";

const [folder] = Deno.args;
for (const name of Object.keys(savedModels)) {
  await Deno.mkdir(`${folder}/${name}`, { recursive: true });
  for (const file of await saveModel(name)) {
    await Deno.writeFile(`${folder}/${name}/${file.name}`, file.bytes);
  }
}
await Deno.writeTextFile(`${folder}/prompts.json`, JSON.stringify(prompts));

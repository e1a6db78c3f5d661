// Writes an adapter directory with our own code, for make_lora.py to load: deno run -A make_lora.ts DIR
import { joinPieces } from "../../../base/files/pieces.ts";
import { readDecoderConfig } from "../../../models/decoder/config.ts";
import { blockSpecs } from "../../../models/decoder/blocks.ts";
import { Lora } from "../../../models/parameters/lora.ts";
import { peftAdapterFiles, readPeftConfig } from "../../../models/hugging_face/peft_adapter.ts";
import { readSafetensors } from "../../../models/safetensors/safetensors.ts";

/** The adapter of lora/some/, with an embedding and a head that are not those of the model below. */
export async function exportedAdapter() {
  const read = (path: string) => Deno.readFile(new URL(path, import.meta.url));
  const text = async (path: string) => new TextDecoder().decode(await read(path));
  const lora = new Lora(
    blockSpecs(readDecoderConfig(await text("qwen2/config.json"))),
    readPeftConfig(await text("lora/some/adapter_config.json")),
  );
  const tensors = readSafetensors(await read("lora/some/adapter_model.safetensors"));
  const base = readSafetensors(await read("qwen2/model.safetensors"));
  const { shape, data } = base.get("model.embed_tokens.weight")!;
  const replaced = new Map([
    ["model.embed_tokens.weight", { shape, data: data.map((value) => 1.5 * value) }],
    ["lm_head.weight", { shape, data: data.map((value) => 0.5 - value) }],
  ]);
  const parts = [...tensors, ...replaced].map(([name, { data }]) => ({ name, data }));
  const shapes = Array.from(replaced, ([name, { shape }]) => ({ name, shape }));
  return {
    lora,
    tensors,
    base,
    replaced,
    files: peftAdapterFiles(lora, parts, { baseModel: "qwen2", replaced: shapes }),
  };
}

if (import.meta.main) {
  const [folder] = Deno.args;
  await Deno.mkdir(folder, { recursive: true });
  for (const { name, bytes } of (await exportedAdapter()).files) {
    await Deno.writeFile(`${folder}/${name}`, bytes instanceof Uint8Array ? bytes : await joinPieces(bytes));
  }
}

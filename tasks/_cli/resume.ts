import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { UserError } from "../../base/user_error.ts";
import type { RunDirectory } from "../../train/run/directory.ts";
import { trainOnAdvice } from "./training_lines.ts";
import { quoted } from "./format.ts";
import type { RunManifest } from "../../train/run/inputs.ts";

/** Settings that change where numbers lie, and none of them. */
const WITHOUT_EFFECT = ["zeroStage"];
/** Settings that say how long a run is. */
const LENGTH = ["maxSteps", "numTrainEpochs"];

/**
 * Throws {@link UserError} unless `settings`, `texts` (files of the run) and the contents of `files` are those that a run
 * was started with: another setting would give a curve that no uninterrupted run has. A run from before a setting existed
 * was started with its entry of `defaults`.
 */
export async function checkSame(
  run: RunDirectory,
  settings: Record<string, unknown>,
  texts: Record<string, string | Uint8Array>,
  files: string[],
  manifest: RunManifest,
  defaults: Record<string, unknown>,
): Promise<void> {
  const saved = { ...defaults, ...await run.readJson("config.json") as Record<string, unknown> };
  for (const [key, value] of Object.entries(settings)) {
    if (WITHOUT_EFFECT.includes(key) || JSON.stringify(saved[key]) === JSON.stringify(value)) continue;
    throw new UserError(
      `Cannot resume ${run.path} with ${key} ${JSON.stringify(value)}: it was started with ` +
        `${JSON.stringify(saved[key])}. ${
          manifest.task === "sft" && LENGTH.includes(key)
            ? trainOnAdvice(run.path)
            : `Use --config ${quoted(join(run.path, "config.json"))}, or start another run`
        }`,
    );
  }
  const decoder = new TextDecoder();
  for (const [name, content] of Object.entries(texts)) {
    const text = typeof content === "string" ? content : decoder.decode(content);
    if (await run.read(name) === text) continue;
    // What counts of prompts is what they say, not the order of the tasks.
    if (name === "prompts.json" && isDeepStrictEqual(await run.readJson(name), JSON.parse(text))) continue;
    throw new UserError(
      name === "index.json"
        ? `Cannot resume ${run.path} with these SIDs: they differ from its index.json. ` +
          `Use --sids ${quoted(join(run.path, "index.json"))}, or start another run`
        : `Cannot resume ${run.path}: tokenizer or prompts have changed, they would give another ${name}. ` +
          "Put back the files that it was started with, or start another run",
    );
  }
  // Files may have moved: their contents count.
  const { inputs } = await run.readJson("manifest.json") as RunManifest;
  const known = new Set(Object.values(inputs));
  const changed = files.find((path) => !known.has(manifest.inputs[path]));
  if (changed === undefined) return;
  throw new UserError(
    `Cannot resume ${run.path} with this data: ${changed} is not the file that it was started with, see manifest.json. ` +
      "Use the same --data, or start another run",
  );
}

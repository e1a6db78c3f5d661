// Fine-tuning of tiny language models, in this process: a new one takes longer to start than the training.
import { ALONE } from "../../base/parallel/world.ts";
import { join } from "node:path";
import { saveModel } from "../golden/decoder/saved_models.ts";
import type { TaskIO } from "../../tasks/_cli/cli.ts";
import { task as sft } from "../../tasks/sft.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import { type Files, minionerecFiles, withFiles } from "../data/formats/minionerec/fixture.ts";

/** Tokens of the tokenizer in `model/`, before those of SIDs. */
export const KNOWN = 300;
/** Tokens of the index of `data/`. */
export const SID_TOKENS = 6;

/**
 * Runs `use` in a new folder with the four-item dataset of the fixture in `data/` and one of `savedModels` in `model/`,
 * some files replaced; "" drops one.
 */
export async function withShop(
  model: string,
  changes: Record<string, string | Uint8Array>,
  use: (dir: string) => Promise<void>,
): Promise<void> {
  const data: Files = Object.fromEntries(
    Object.entries(minionerecFiles()).map(([name, text]) => [`data/${name}`, text]),
  );
  await withFiles(data, async (dir) => {
    await Deno.mkdir(join(dir, "model"));
    for (const { name, bytes } of await saveModel(model)) {
      await Deno.writeFile(join(dir, "model", name), bytes);
    }
    for (const [name, content] of Object.entries(changes)) {
      const path = join(dir, name);
      await Deno.mkdir(join(path, ".."), { recursive: true });
      if (content === "") await Deno.remove(path);
      else {await Deno.writeFile(
          path,
          typeof content === "string" ? new TextEncoder().encode(content) : content,
        );}
    }
    await use(dir);
  });
}

/** What a task says, and when it is stopped. */
export function collector(onUpdate?: (label: string, done: number) => boolean) {
  const lines: string[] = [];
  const abort = new AbortController();
  const io: TaskIO = {
    json: false,
    world: ALONE,
    signal: abort.signal,
    log: (line) => void lines.push(line),
    progress: (_total, label) => ({
      update: (done) => void (onUpdate?.(label, done) && abort.abort()),
      stop() {},
    }),
  };
  return { io, lines };
}

/** Settings of three steps on `data/`, from `model/` where nothing else is named. */
export function tiny(dir: string, settings: Record<string, unknown>) {
  const model = settings.tokenizer || settings.mode === "samples" ? "" : join(dir, "model");
  return sft.config.parse({
    data: join(dir, "data"),
    model,
    out: join(dir, "run"),
    maxLength: 96,
    tokensPerBatch: 128,
    maxSteps: 3,
    warmupSteps: 0,
    learningRate: 0.05,
    loggingSteps: 1,
    evalSamples: 0,
    emaDecay: 0,
    dropout: 0.1,
    ...settings,
  });
}

/** Trains {@link tiny} and returns the run, what was said, and the lines of `metrics.jsonl` without times. */
export async function train(dir: string, settings: Record<string, unknown> = {}, io = collector()) {
  const flags = tiny(dir, settings);
  await sft.run(flags, io.io);
  const run = new RunDirectory(flags.out);
  const checkpoint = await run.checkpoint("latest");
  const metrics = (await run.read("metrics.jsonl")).trim().split("\n").map((line) => {
    const { seconds: _, ...entry } = JSON.parse(line);
    return entry;
  });
  return { run, checkpoint, metrics, lines: io.lines };
}

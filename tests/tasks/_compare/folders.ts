// Run directories with evaluations, written by hand: their figures can be checked by hand too.
import { join } from "node:path";
import { writeSafetensors } from "../../../models/safetensors/safetensors.ts";

/** What a run and its evaluation say. */
export interface Written {
  seed?: number;
  /** Place of the target for each user. */
  ranks: (number | null)[];
  /** Of config.json. */
  config?: Record<string, unknown>;
  /** Of manifest.json. */
  manifest?: Record<string, unknown>;
  /** Of metrics.json. */
  metrics?: Record<string, unknown>;
  seconds?: number;
  users?: string[];
}

/** Writes `runs/NAME` with six parameters and `runs/NAME/eval`. */
export async function writeRun(dir: string, name: string, written: Written): Promise<string> {
  const { seed = 42, ranks, seconds = 60, users = ranks.map((_, user) => `U${user}`) } = written;
  const run = join(dir, "runs", name);
  const folder = join(run, "eval");
  const checkpoint = join(run, "checkpoints/step-9");
  await Deno.mkdir(folder, { recursive: true });
  await Deno.mkdir(checkpoint, { recursive: true });
  const json = (path: string, value: unknown) => Deno.writeTextFile(path, JSON.stringify(value));
  const data = join(dir, "data");
  await json(join(run, "config.json"), { data, learningRate: 0.1, seed, variant: "", ...written.config });
  await json(join(run, "manifest.json"), {
    dataset: "shop",
    adapter: "llvmpipe",
    inputs: { [join(data, "train.csv")]: "aa", [join(data, "index.json")]: name },
    ...written.manifest,
  });
  const log = [{ step: 1, seconds: 1 }, { step: 9, seconds }, { step: 9, valid: { ndcg10: 0.5 } }];
  await Deno.writeTextFile(
    join(run, "metrics.jsonl"),
    log.map((line) => JSON.stringify(line) + "\n").join(""),
  );
  const weights = new Map([["w", { shape: [2, 3], data: new Float32Array(6) }]]);
  await Deno.writeFile(join(checkpoint, "model.safetensors"), writeSafetensors(weights));
  await Deno.writeTextFile(join(run, "best"), "step-9\n");
  await json(join(folder, "metrics.json"), {
    run,
    data,
    checkpoint: "step-9",
    split: "test",
    users: ranks.length,
    beams: 20,
    secondsPerUser: 0.02,
    ...written.metrics,
  });
  const rows = ranks.map((rank, user) => ({
    row: user,
    user: users[user],
    history: [0],
    target: user,
    rank,
  }));
  await Deno.writeTextFile(
    join(folder, "predictions.jsonl"),
    rows.map((row) => JSON.stringify(row) + "\n").join(""),
  );
  return folder;
}

// A shop with a run of every kind that a task trains, tiny; commands run in this process.
import { cpSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { writeNpy } from "../../base/npy.ts";
import { parseArgs, type Task } from "../../tasks/_cli/cli.ts";
import { task as baseline } from "../../tasks/baseline.ts";
import { task as etegrec } from "../../tasks/etegrec.ts";
import { task as rank } from "../../tasks/rank.ts";
import { task as rl } from "../../tasks/rl.ts";
import { TINY_FLAGS } from "../tasks/etegrec_toys.ts";
import { withSevenUsers } from "../tasks/seven_users.ts";
import { collector } from "./text_shop.ts";

const ITEMS = ("--hidden-size 8 --num-train-epochs 1 --tokens-per-batch 32 --max-length 8").split(" ");
const BLOCKS = [...ITEMS, ..."--num-hidden-layers 1 --num-attention-heads 1".split(" ")];
const PAIRS = ("--d-model 8 --d-kv 4 --d-ff 8 --num-layers 1 --num-decoder-layers 1 --num-heads 2 " +
  "--num-train-epochs 1 --tokens-per-batch 32 --eval-beams 4 --max-history 3").split(" ");
/** Flags of each baseline. */
export const BASELINES: Record<string, string[]> = {
  popularity: [],
  repeat: [],
  markov: [],
  "sequential-rules": [],
  transitions: [],
  sasrec: BLOCKS,
  gru4rec: ITEMS,
  caser: ITEMS,
  hstu: BLOCKS,
  tiger: PAIRS,
};

interface Run {
  /** Folder to name with `--run`. */
  name: string;
  kind: string;
  writesSids: boolean;
  /** Flags that it needs. */
  flags?: string[];
  /** Whether it is the first of its code path, on which everything is tried. */
  isFirst?: boolean;
}

/** Every kind of run. */
export const RUNS: readonly Run[] = [
  ...Object.keys(BASELINES).map((name) => ({
    name,
    kind: name === "tiger" ? "SID run" : "baseline run",
    writesSids: name === "tiger",
    isFirst: ["popularity", "sasrec", "tiger"].includes(name),
  })),
  { name: "run", kind: "SID run", writesSids: true, isFirst: true },
  { name: "rl", kind: "SID run", writesSids: true },
  { name: "etegrec/joint", kind: "SID run", writesSids: true },
  { name: "etegrec", kind: "SID run", writesSids: true },
  { name: "rank", kind: "rank run", writesSids: false, isFirst: true },
  { name: "rank/checkpoints/step-2", kind: "rank run", writesSids: false },
  { name: "sasrec/checkpoints/step-1", kind: "baseline run", writesSids: false },
  { name: "run/checkpoints/step-1", kind: "model directory", writesSids: true },
  {
    name: "hf",
    kind: "model directory",
    writesSids: true,
    flags: ["--data", "data", "--sids", "run/index.json"],
    isFirst: true,
  },
];

/** Flags whose values are paths in the shop's folder. */
const PATHS = ["--run", "--runs", "--data", "--sids", "--out", "--file", "--merge", "--embeddings"];

/** Runs a task with command line words in this process, paths in `dir`; what it said. */
export async function command<S extends z.ZodObject>(
  dir: string,
  task: Task<S>,
  words: string[],
): Promise<string[]> {
  const { io, lines } = collector();
  const isPath = (word: string, i: number) => PATHS.includes(words[i - 1]) && word !== "synthetic";
  const paths = words.map((word, i) => isPath(word, i) ? join(dir, word) : word);
  await task.run(parseArgs(task, paths)!.config, io);
  return lines;
}

let trained: Promise<string> | undefined;

/** A folder with `data/` and all runs; tests write into folders of their own. */
export async function shop(): Promise<string> {
  return await (trained ??= train());
}

async function train(): Promise<string> {
  const dir = await Deno.makeTempDir();
  addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
  await withSevenUsers((source) => Promise.resolve(cpSync(source, dir, { recursive: true })));
  const config = join(dir, "run/config.json");
  const settings = JSON.parse(await Deno.readTextFile(config));
  await Deno.writeTextFile(config, JSON.stringify({ ...settings, data: join(dir, "data") }));
  for (const [model, flags] of Object.entries(BASELINES)) {
    const words = ["--model", model, "--data", "data", "--out", model, "--evaluate", "test", "--beams", "3"];
    words.push("--report-to", "tensorboard");
    await command(dir, baseline, [...words, ...flags]);
  }
  await command(dir, rl, [
    ..."--run run --out rl --max-steps 1 --num-generations 3 --prompts-per-step 2 --eval-samples 1".split(
      " ",
    ),
    ..."--tokens-per-batch 64 --eval-steps 1".split(" "),
  ]);
  await Deno.writeFile(join(dir, "text.npy"), writeNpy([4, 2], Float32Array.of(4, 0, 1, 3, 1, 0, 4, 3)));
  await command(dir, etegrec, [
    ..."--data data --embeddings text.npy --out etegrec --evaluate test --beams 10".split(" "),
    ...TINY_FLAGS,
    ..."--frozen-epochs 0 --finetune-epochs 0 --report-to tensorboard".split(" "),
  ]);
  await command(dir, rank, [
    ..."--data data --runs run --runs sasrec --train-on valid --out rank --num-train-epochs 2".split(" "),
    ..."--hidden-size 4 --num-rankers 2 --report-to tensorboard".split(" "),
  ]);
  cpSync(join(dir, "run/checkpoints/step-1"), join(dir, "hf"), { recursive: true });
  cpSync(join(dir, "run/vocabulary.json"), join(dir, "hf/vocabulary.json"));
  return dir;
}

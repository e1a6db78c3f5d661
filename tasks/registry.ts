import type { Task } from "./_cli/cli.ts";

/** A command: what the list of all says of it, and its module. */
interface Entry {
  summary: string;
  load(): Promise<{ task: Task }>;
}

const entry = (summary: string, load: Entry["load"]): Entry => ({ summary, load });

/**
 * One line a task, in the order of a user's work. Not `export { x } from` as in other registries: all tasks load in
 * 0.7 s, this list in 0.4 s, and `doctor` has to start where what others import cannot be loaded.
 */
export const registry = {
  doctor: entry("what this machine has and lacks", () => import("./doctor.ts")),
  quickstart: entry("all stages on the built-in data", () => import("./quickstart.ts")),
  data: entry("turn raw logs into a dataset, or check one", () => import("./data.ts")),
  embed: entry("turn item texts or histories into vectors", () => import("./embed.ts")),
  sid: entry("turn item embeddings into semantic IDs", () => import("./sid.ts")),
  sft: entry("train a decoder on next-item prediction", () => import("./sft.ts")),
  baseline: entry("train a recommender to compare with", () => import("./baseline.ts")),
  etegrec: entry("train a tokenizer and a recommender together", () => import("./etegrec.ts")),
  rl: entry("sharpen the ranking of a trained model with GRPO", () => import("./rl.ts")),
  evaluate: entry("rank a split with anything trained, and score it", () => import("./evaluate.ts")),
  compare: entry("a table of systems over seeds, with paired tests", () => import("./compare.ts")),
  recommend: entry("what to show a user with this history", () => import("./recommend.ts")),
  convert: entry("write a dataset in another format", () => import("./convert.ts")),
  bench: entry("speed beside other libraries on this adapter", () => import("./bench.ts")),
  build: entry("one executable file with all commands", () => import("./_build/build.ts")),
};

/** Name of a task. */
export type TaskName = keyof typeof registry;

/** Imports a task with all that it needs. */
export async function loadTask(name: TaskName): Promise<Task> {
  return (await registry[name].load()).task;
}

import type { Task } from "./_cli/cli.ts";

interface Entry {
  summary: string;
  load(): Promise<{ task: Task }>;
}

/** One line a task; loaded when asked for, so that a small task starts fast. */
export const registry = {
  doctor: { summary: "what this machine has and lacks", load: () => import("./doctor.ts") },
  quickstart: { summary: "all stages on the built-in data", load: () => import("./quickstart.ts") },
  data: { summary: "turn raw logs into a dataset, or check one", load: () => import("./data.ts") },
  embed: { summary: "turn item texts or histories into vectors", load: () => import("./embed.ts") },
  sid: { summary: "turn item embeddings into semantic IDs", load: () => import("./sid.ts") },
  sft: { summary: "train a decoder on next-item prediction", load: () => import("./sft.ts") },
  baseline: { summary: "train a recommender to compare with", load: () => import("./baseline.ts") },
  etegrec: {
    summary: "train a tokenizer and a recommender together",
    load: () => import("./etegrec.ts"),
  },
  rl: { summary: "sharpen the ranking of a trained model with GRPO", load: () => import("./rl.ts") },
  evaluate: { summary: "rank a split by beam search and score it", load: () => import("./evaluate.ts") },
  compare: {
    summary: "a table of systems over seeds, with paired tests",
    load: () => import("./compare.ts"),
  },
  recommend: { summary: "what to show a user with this history", load: () => import("./recommend.ts") },
  convert: { summary: "write a dataset in another format", load: () => import("./convert.ts") },
  bench: { summary: "speed beside other libraries on this adapter", load: () => import("./bench.ts") },
  build: { summary: "one executable file with all commands", load: () => import("./_build/build.ts") },
} satisfies Record<string, Entry>;

/** Name of a task. */
export type TaskName = keyof typeof registry;

/** Imports a task with all that it needs. */
export async function loadTask(name: TaskName): Promise<Task> {
  return (await (registry[name] as Entry).load()).task;
}

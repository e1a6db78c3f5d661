import type { Task } from "./_cli/cli.ts";

/**
 * Rights of Deno that few tasks need; files, environment and facts of the machine all do. What is not named is given up
 * before a task is loaded, so that neither its packages nor a user's code have it. Native packages are beyond that. Files
 * and environment stay whole: of a right to all, Deno takes no single path or variable back (revoke() of a path answers
 * "granted"), and of one that was given up it gives none again without asking a terminal.
 */
const RIGHTS = ["net", "run", "ffi"] as const;
type Right = typeof RIGHTS[number];

/** A command: what the list of all says of it, its module, and what it needs. */
interface Entry {
  summary: string;
  load(): Promise<{ task: Task }>;
  needs: Right[];
  /** Whether processes that mpirun or srun started share its work. */
  worksTogether: boolean;
}

const entry = (summary: string, load: Entry["load"], needs: Right[] = [], worksTogether = false): Entry => ({
  summary,
  load,
  needs,
  worksTogether,
});

const TOGETHER = true;

/**
 * One line a task, in the order of a user's work. Not `export { x } from` as in other registries: all tasks load in
 * 0.7 s, this list in 0.4 s, and `doctor` has to start where what others import cannot be loaded. Net is for W&B and
 * remote files and models, run for processes of its own, ffi for DuckDB and ONNX Runtime; who gives up any may not look
 * into /proc, as `doctor` does.
 */
export const registry = {
  doctor: entry("what this machine has and lacks", () => import("./doctor.ts"), [...RIGHTS]),
  quickstart: entry("all stages on the built-in data", () => import("./_stages/quickstart.ts")),
  data: entry("turn raw logs into a dataset, or check one", () => import("./data.ts"), ["net", "ffi"]),
  embed: entry("turn item texts or histories into vectors", () => import("./embed.ts"), [...RIGHTS]),
  sid: entry("turn item embeddings into semantic IDs", () => import("./sid.ts"), ["net"]),
  train: entry(
    "from a dataset to a ranked recommender, settings by its size",
    () => import("./_stages/train.ts"),
    ["net"],
  ),
  sft: entry("train a decoder on next-item prediction", () => import("./sft.ts"), ["net"], TOGETHER),
  baseline: entry("train a recommender to compare with", () => import("./baseline.ts"), ["net"], TOGETHER),
  etegrec: entry(
    "train a tokenizer and a recommender together",
    () => import("./etegrec.ts"),
    ["net"],
    TOGETHER,
  ),
  rl: entry("sharpen the ranking of a trained model with GRPO", () => import("./rl.ts"), ["net"], TOGETHER),
  rank: entry("learn to order the candidates of trained runs", () => import("./rank.ts"), ["net"], TOGETHER),
  evaluate: entry(
    "rank a split with anything trained, and score it",
    () => import("./evaluate.ts"),
    ["run"],
    TOGETHER,
  ),
  compare: entry("a table of systems over seeds, with paired tests", () => import("./compare.ts")),
  recommend: entry("what to show a user with this history", () => import("./recommend.ts")),
  generate: entry("text that a language model writes", () => import("./_generate/generate.ts")),
  serve: entry("answer requests for recommendations over HTTP", () => import("./serve.ts"), ["net", "run"]),
  studio: entry(
    "a page of runs side by side, while they train and after",
    () => import("./_studio/studio.ts"),
    [
      "net",
      "run",
    ],
  ),
  convert: entry("write a dataset in another format", () => import("./convert.ts")),
  export: entry("a run as a site for the browser, or for llama.cpp", () => import("./_export/export.ts"), [
    "run",
  ]),
  plan: entry("what a training step takes on many devices", () => import("./_plan/plan.ts")),
  bench: entry("speed beside other libraries on this adapter", () => import("./bench.ts"), [...RIGHTS]),
  build: entry("one executable file with all commands", () => import("./_build/build.ts"), ["run"]),
};

/** Name of a task. */
export type TaskName = keyof typeof registry;

/** Imports a task with all that it needs. */
export async function loadTask(name: TaskName): Promise<Task> {
  return (await registry[name].load()).task;
}

/**
 * Gives up what a task does not need, for the rest of the process. Not where the user names something in /dev, /proc or
 * /sys, such as /dev/shm or what `<(command)` stands for: Deno opens these for programs with all rights alone.
 */
export function giveUpRights(name: TaskName, args: readonly string[]): void {
  const places = [Deno.cwd(), ...["HOME", "TMPDIR", "GENREC_CACHE"].map((name) => Deno.env.get(name) ?? "")];
  if ([...places, ...args].some((text) => /(^|[=,])\/(dev|proc|sys)(\/|$)/.test(text))) return;
  for (const right of RIGHTS) {
    if (!registry[name].needs.includes(right)) Deno.permissions.revokeSync({ name: right });
  }
}

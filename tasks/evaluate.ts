import { z } from "zod";
import { UserError } from "../base/user_error.ts";
import { splits } from "../data/dataset.ts";
import { credit } from "./_evaluate/credit_flag.ts";
import { DEFAULT_KS } from "../eval/metrics.ts";
import type { Device } from "../kernels/gpu/device.ts";
import { openRun } from "../train/runs/open_run.ts";
import { type Task, type TaskIO, UsageError } from "./_cli/cli.ts";
import { fittedSize, MemoryFlags, openLimited } from "./_cli/memory.ts";
import { DeviceFlags } from "./_cli/open_device.ts";
import {
  AskedTask,
  checkReasonDraws,
  checkReasons,
  ReasonFlags,
  RunFlags,
  SearchFlags,
  WeightFlags,
} from "./_cli/run_flags.ts";
import { compareFolders } from "./_evaluate/compare_folders.ts";
import { runShards, shardFlags } from "./_cli/shard_processes.ts";
import { type BatchChoice, evaluateRecommender, mergeShards } from "./_evaluate/rank_users.ts";
import { checkSameRun, evaluateInRanks } from "./_evaluate/in_ranks.ts";
import type { EvaluateReport } from "./_evaluate/report_lines.ts";
import { checkEnded, checkOurs, removeEvaluation } from "./_evaluate/row_file.ts";
import { shardFolders } from "./_evaluate/shards.ts";
import { RESULT_FORMATS } from "../data/result_files/by_name.ts";
import { scoreFiles } from "./_evaluate/score.ts";

const config = z.strictObject({
  ...RunFlags,
  run: RunFlags.run.default(""),
  split: z.enum(splits).default("test").describe("samples to rank"),
  ...AskedTask,
  ...ReasonFlags,
  ...SearchFlags,
  ...WeightFlags,
  preferences: z.string().default("").describe(
    "JSON or JSONL of user preferences, whose rows of --split are asked in task preference-to-sid",
  ),
  rows: z.string().default("").describe(
    "file of rows, of sft or of rl as MIMIGenRec has them, that task rows asks word for word; without it, the rows of " +
      "--split in the dataset's sft/ or rl/",
  ),
  rowLineEnds: z.int().min(1).default(1).describe(
    "line ends between instruction and input of such a row: 1 as in training, 2 as evaluate.py of MIMIGenRec asks",
  ),
  beams: z.int().min(1).default(50).describe("SIDs or items kept a user"),
  batchSize: z.int().min(0).default(0).describe(
    "users that are ranked at once, whose lists are the same whatever the number; 0: as many as there is memory for",
  ),
  ...MemoryFlags,
  ks: z.array(z.int().min(1)).min(1).default([...DEFAULT_KS]).describe(
    "cut-offs of the metrics; those beyond --beams are left out",
  ),
  credit,
  out: z.string().default("").describe("folder to write: metrics.json, predictions.jsonl"),
  unconstrained: z.boolean().default(false).describe(
    "write any codewords, be they a SID or not, as TIGER and ETEGRec were evaluated; for models with a table a level",
  ),
  limit: z.int().min(0).default(0).describe("the first so many users alone; 0: all"),
  mixture: z.number().min(0).max(1).default(0).describe(
    "also report the model mixed with transition counts, which have this share; 0: no mixture",
  ),
  baselines: z.boolean().default(false).describe("also report popularity, repeat recent and transitions"),
  seed: z.int().min(0).default(42).describe(
    "seed of the bootstrap intervals, of the paired test, and of reasons that are drawn",
  ),
  resume: z.boolean().default(false).describe(
    "keep the rows that an earlier evaluation with these flags left in --out, and rank the others",
  ),
  ...shardFlags("users, of which --merge makes the whole"),
  merge: z.array(z.string()).default([]).describe("make one evaluation of the folders of all shards"),
  compare: z.array(z.string()).default([]).describe(
    "paired test of two or more evaluations, by their folders: the first one is the baseline; --out takes compare.json",
  ),
  format: z.enum(["none", ...RESULT_FORMATS.map(({ name }) => name)]).default("none").describe(
    "also write the predictions as this project does, into a folder of its name in --out",
  ),
  score: z.array(z.string()).default([]).describe(
    "score result files of MiniOneRec or MIMIGenRec, the shards of one in order, without a model; --data compares rows " +
      "with --split, --sids names the index, --out takes score.json",
  ),
  ...DeviceFlags,
});
type Flags = z.output<typeof config>;

export const task: Task<typeof config> = {
  name: "evaluate",
  summary: "rank a split with anything trained, and score it",
  examples: [
    "evaluate --run runs/a --data synthetic --split test --beams 50 --out eval/",
    "evaluate --run runs/a --split valid --mixture 0.3 --baselines --out eval/",
    "evaluate --run runs/sasrec --out eval/",
    "evaluate --run models/qwen --sids index.json --data data/mine --out eval/",
    "evaluate --compare runs/a/eval runs/b/eval",
    "evaluate --score 0.json,1.json --data data/minionerec",
    "evaluate --run runs/a --shard 0/2 --out part-0",
    "evaluate --merge part-0 part-1 --out eval/",
  ],
  config,
  async run(flags, io) {
    checkReasonDraws(reasonFlags(flags));
    const report = await modeOf(flags, io)(flags, io);
    if (io.json && io.world.rank === 0) console.log(JSON.stringify(report, null, 2));
  },
};

/** The seed is also that of intervals and tests. */
function reasonFlags({ seed: _, ...flags }: Flags): Omit<Flags, "seed"> {
  return flags;
}

function modeOf(flags: Flags, { world }: TaskIO): (flags: Flags, io: TaskIO) => Promise<unknown> {
  const { run, out, merge, compare, score, shards } = flags;
  // Files of earlier evaluations are read by the first process alone.
  const isOfFiles = [compare, score, merge].some((paths) => paths.length > 0);
  if (isOfFiles && world.rank > 0) return () => Promise.resolve();
  if (compare.length > 0) return compareFolders;
  if (score.length > 0) return scoreFiles;
  const missing = merge.length === 0 && run === "" ? "run" : out === "" ? "out" : undefined;
  if (missing !== undefined) {
    throw new UsageError(
      `Missing --${missing}: ${config.shape[missing].description}. See \`genrec evaluate --help\``,
    );
  }
  if (merge.length > 0) return mergeShards;
  if (world.size > 1) return (flags, io) => evaluateInRanks(flags, io, evaluate);
  return shards > 0 ? evaluateInShards : evaluate;
}

/** Evaluates as the flags say; also the evaluation stage of `quickstart`. */
export async function evaluate(flags: Flags, io: TaskIO): Promise<EvaluateReport> {
  let opened: Promise<Device> | undefined;
  const device = () => opened ??= openLimited(flags, io);
  const recommender = await openRun(flags.run, { ...flags, device });
  checkReasons(recommender, reasonFlags(flags));
  await checkSameRun(recommender, io);
  const { dataset } = recommender;
  const chooseBatch: BatchChoice = (size, work) => {
    const rehearse = async (device: () => Promise<Device>, size: number, onSize: (size: number) => void) => {
      const again = await openRun(flags.run, { ...flags, dataset, device });
      await work(again, size, onSize);
      again.destroy();
    };
    return fittedSize(device, { what: ["rank", "users"], flag: "--batch-size", rehearse }, size, io);
  };
  try {
    return await evaluateRecommender(recommender, flags, io, chooseBatch);
  } finally {
    recommender.destroy();
  }
}

/** Evaluates in processes of their own; their folders are gone once there is a whole. */
async function evaluateInShards(flags: Flags, io: TaskIO): Promise<EvaluateReport> {
  const { shards, shardAdapters, shard, mixture: _, baselines: __, format: ___, ...shared } = flags;
  if (shard !== "") {
    throw new UserError(`Cannot use --shards ${shards} with --shard ${shard}: expected one of them`);
  }
  await checkEnded(flags.out);
  for (const folder of shardFolders(flags.out, shards)) await checkOurs(folder, flags.resume);
  const merge = shardFolders(flags.out, shards);
  await runShards({ task: task.name, flags: shared, outs: merge, adapters: shardAdapters }, io);
  const report = await mergeShards({ ...flags, merge }, io);
  for (const folder of merge) await removeEvaluation(folder);
  return report;
}

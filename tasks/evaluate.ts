import { join } from "node:path";
import { z } from "zod";
import { type Dataset, type Sample, type Split, splits } from "../data/dataset.ts";
import { UserError } from "../base/user_error.ts";
import {
  popularityScorer,
  repeatRecentScorer,
  type Scorer,
  transitionScorer,
} from "../eval/count_scorers.ts";
import {
  CREDITS,
  evaluateSplit,
  type Evaluation,
  Measurement,
  type MeasurementOptions,
  type Prediction,
} from "../eval/evaluate.ts";
import { DEFAULT_KS } from "../eval/metrics.ts";
import { mixRanked } from "../eval/mixture.ts";
import {
  beamRecommender,
  leafSids,
  type Ranked,
  type Recommender,
  scorerRecommender,
} from "../eval/recommender.ts";
import { SLICINGS } from "../eval/slices.ts";
import { writeAtomic } from "../base/files/write_atomic.ts";
import { type Task, type TaskIO, UsageError } from "./_cli/cli.ts";
import { compareFolders } from "./_evaluate/evaluate_compare.ts";
import { evaluateShards } from "./_evaluate/evaluate_processes.ts";
import { type EvaluateReport, evaluationLines } from "./_evaluate/evaluate_report.ts";
import { checkEnded, RowFile, type RowSettings } from "./_evaluate/evaluate_rows.ts";
import { openShards, SHARD, shardRows } from "./_evaluate/evaluate_shards.ts";
import { loadInputs } from "../train/run/inputs.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { LineFile, makeFolder } from "../base/files/line_file.ts";
import { RESULT_FORMATS } from "../data/result_files/by_name.ts";
import { writeResults } from "./_evaluate/results.ts";
import {
  modelFolder,
  openModel,
  openRun,
  openSearch,
  openTrie,
  resolved,
  RunFlags,
  type TrainedRun,
} from "../train/trained_run.ts";
import { openProductSearch, productRecommender } from "./_evaluate/product_search.ts";
import { scoreFiles } from "./_evaluate/score.ts";

const config = z.strictObject({
  ...RunFlags,
  run: RunFlags.run.default(""),
  split: z.enum(splits).default("test").describe("samples to rank"),
  beams: z.int().min(1).default(50).describe("SIDs kept a user"),
  ks: z.array(z.int().min(1)).min(1).default([...DEFAULT_KS]).describe(
    "cut-offs of the metrics; those beyond --beams are left out",
  ),
  credit: z.enum(CREDITS).default("string").describe(
    "what a hit on a SID counts in hr and ndcg: string: 1, whoever shares it, as in MiniOneRec; group: 1 / (items that " +
      "share it)",
  ),
  out: z.string().default("").describe("folder to write: metrics.json, predictions.jsonl"),
  unconstrained: z.boolean().default(false).describe(
    "write any codewords, be they a SID or not, as TIGER and ETEGRec were evaluated; for models with a table a level",
  ),
  limit: z.int().min(0).default(0).describe("the first so many users alone; 0: all"),
  mixture: z.number().min(0).max(1).default(0).describe(
    "also report the model mixed with transition counts, which have this share; 0: no mixture",
  ),
  baselines: z.boolean().default(false).describe("also report popularity, repeat recent and transitions"),
  seed: z.int().min(0).default(42).describe("seed of the bootstrap intervals and of the paired test"),
  resume: z.boolean().default(false).describe(
    "keep the rows that an earlier evaluation with these flags left in --out, and rank the others",
  ),
  shard: z.string().regex(SHARD, { error: "expected a shard such as 0/4, the first of four" }).default("")
    .describe(
      "this part of the users alone, such as 0/4, 1/4, 2/4 and 3/4; --merge makes the whole",
    ),
  shards: z.int().min(0).default(0).describe(
    "start so many processes on this machine, a shard each, and merge what they write; 0: this process alone",
  ),
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
  summary: "rank a split by beam search and score it",
  examples: [
    "evaluate --run runs/a --data synthetic --split test --beams 50 --out eval/",
    "evaluate --run runs/a --split valid --mixture 0.3 --baselines --out eval/",
    "evaluate --run models/qwen --sids index.json --data data/mine --out eval/",
    "evaluate --compare runs/a/eval runs/b/eval",
    "evaluate --score 0.json,1.json --data data/minionerec",
    "evaluate --run runs/a --shard 0/2 --out part-0",
    "evaluate --merge part-0 part-1 --out eval/",
  ],
  config,
  async run(flags, io) {
    const report = await modeOf(flags)(flags, io);
    if (io.json) console.log(JSON.stringify(report, null, 2));
  },
};

function modeOf(flags: Flags): (flags: Flags, io: TaskIO) => Promise<unknown> {
  const { run, out, merge, compare, score, shards } = flags;
  if (compare.length > 0) return compareFolders;
  if (score.length > 0) return scoreFiles;
  const missing = merge.length === 0 && run === "" ? "run" : out === "" ? "out" : undefined;
  if (missing !== undefined) {
    throw new UsageError(
      `Missing --${missing}: ${config.shape[missing].description}. See \`genrec evaluate --help\``,
    );
  }
  return merge.length > 0 ? mergeShards : shards > 0 ? evaluateInShards : evaluate;
}

/** Evaluates as the flags say; also the evaluation stage of `quickstart`. */
export async function evaluate(flags: Flags, io: TaskIO): Promise<EvaluateReport> {
  const { split, beams, out, limit, shard, unconstrained } = flags;
  const run = await openRun(flags.run, flags.data, flags);
  const all = samplesOf(run.dataset, run.data, split, limit);
  const { first, end } = shardRows(shard, all.length);
  const samples = all.slice(first, end);
  const settings: RowSettings = {
    run: flags.run,
    data: run.data,
    index: run.index,
    prompts: flags.prompts,
    maxHistory: run.maxHistory,
    checkpoint: (await modelFolder(run, flags.checkpoint)).checkpoint,
    normalisation: resolved(run, flags.normalisation),
    split,
    beams,
    limit,
    shard,
    unconstrained,
  };
  const sids = run.sids.map((sid) => sid.join(""));
  await using rows = await RowFile.open(out, settings, flags.resume);
  if (rows.found > 0) io.log(`${rows.found} of ${samples.length} users are there from before`);
  const isWhole = rows.found >= samples.length;
  const ranker = isWhole ? undefined : await openRanker(flags, run, sids);
  await rows.begin();
  const evaluation = await measure({
    flags,
    io,
    dataset: run.dataset,
    split,
    beams,
    sids,
    samples,
    firstRow: first,
    made: rows.found > 0 ? rows.read() : undefined,
    ranker,
    onPrediction: (prediction) => rows.append(prediction),
  }).catch((error) => {
    if (rows.length > 0) io.log(`${rows.length} of ${samples.length} users are kept: go on with --resume`);
    throw error;
  });
  if (isWhole) evaluation.secondsPerUser = rows.secondsPerUser;
  const report: EvaluateReport = { ...evaluation, ...settings };
  await rows.commit(report);
  return await told(report, flags, sids, io);
}

/** Evaluates in processes of their own; their folders are gone once there is a whole. */
async function evaluateInShards(flags: Flags, io: TaskIO): Promise<EvaluateReport> {
  const { shards, shard, mixture: _, baselines: __, format: ___, ...shared } = flags;
  if (shard !== "") {
    throw new UserError(`Cannot use --shards ${shards} with --shard ${shard}: expected one of them`);
  }
  await checkEnded(flags.out);
  const merge = await evaluateShards(shared, shards, io);
  const report = await mergeShards({ ...flags, merge }, io);
  for (const folder of merge) await Deno.remove(folder, { recursive: true });
  return report;
}

/** Makes the evaluation that one process would have made of those of its shards. */
async function mergeShards(flags: Flags, io: TaskIO): Promise<EvaluateReport> {
  const { out } = flags;
  const { settings, secondsPerUser, rows } = await openShards(flags.merge);
  const { split, beams, limit } = settings;
  // Files may have moved since.
  const data = flags.data || settings.data;
  const inputs = await loadInputs(data, flags.sids || settings.index);
  const sids = inputs.sids.map((sid) => sid.join(""));
  const samples = samplesOf(inputs.dataset, data, split, limit);
  await checkEnded(out);
  await makeFolder(out);
  await using file = await LineFile.create(join(out, "predictions.jsonl"));
  const evaluation = await measure({
    flags,
    io,
    dataset: inputs.dataset,
    split,
    beams,
    sids,
    samples,
    firstRow: 0,
    made: written(rows(samples.length), file),
  });
  const report: EvaluateReport = { ...evaluation, ...settings, secondsPerUser };
  await file.commit();
  await writeAtomic(join(out, "metrics.json"), JSON.stringify(report, null, 2) + "\n");
  return await told(report, flags, sids, io);
}

async function* written(rows: AsyncIterable<Prediction>, file: LineFile): AsyncGenerator<Prediction> {
  for await (const row of rows) {
    await file.append(row);
    yield row;
  }
}

async function told(
  report: EvaluateReport,
  { out, format, ks }: Flags,
  sids: readonly string[],
  io: TaskIO,
): Promise<EvaluateReport> {
  evaluationLines(report).forEach((line) => io.log(line));
  io.log(`Wrote ${join(out, "metrics.json")} and ${join(out, "predictions.jsonl")}`);
  if (format !== "none") io.log(`Wrote ${(await writeResults(format, out, sids, ks)).join(" and ")}`);
  return report;
}

function samplesOf({ samples }: Dataset, data: string, split: Split, limit: number): Sample[] {
  const all = samples[split];
  if (all.length === 0) {
    throw new UserError(`Cannot evaluate on ${data}: its ${split} split is empty. Choose another --split`);
  }
  return limit > 0 ? all.slice(0, limit) : all;
}

/** What ranks users. */
interface Ranker {
  recommend: Recommender;
  /** Samples a call. */
  batch: number;
}

async function openRanker(flags: Flags, run: TrainedRun, sids: readonly string[]): Promise<Ranker> {
  const { device } = await openDevice(flags);
  const { model } = await openModel(device, run, flags.checkpoint);
  if (flags.unconstrained) {
    const search = openProductSearch(device, run, model, flags.beams);
    return { recommend: productRecommender(search, run), batch: search.promptsPerBatch };
  }
  const search = openSearch(device, run, model, openTrie(device, run), flags);
  const names = leafSids(search.trie.host, sids);
  return {
    recommend: beamRecommender(search, (sample) => run.prompts.prompt(sample.history, sample), names),
    batch: search.promptsPerBatch,
  };
}

interface Work {
  flags: Flags;
  io: TaskIO;
  dataset: Dataset;
  split: Split;
  beams: number;
  /** Joined SIDs of items (N). */
  sids: readonly string[];
  samples: readonly Sample[];
  firstRow: number;
  /** Rows of the first samples. */
  made?: AsyncIterable<Prediction>;
  /** For the samples after them. */
  ranker?: Ranker;
  onPrediction?: (prediction: Prediction) => Promise<void>;
}

/** Metrics of a model, with the mixture and the baselines that the flags ask for. */
async function measure(work: Work): Promise<Evaluation & Pick<EvaluateReport, "mixture" | "baselines">> {
  const { flags, io, dataset, split, beams, sids, samples, firstRow, onPrediction } = work;
  const { seed, ks, credit, mixture: weight } = flags;
  const { items, samples: { train } } = dataset;
  const shared = { split, train, items, beams, ks: [...new Set(ks)].sort((a, b) => a - b), credit, seed };
  const mixture = weight > 0 ? new MixtureMeasurement({ ...shared, sids }, weight) : undefined;
  const missing = () => Promise.reject(new Error(`Rows are missing, expected ${samples.length}`));
  const { recommend, batch } = work.ranker ?? { recommend: missing, batch: samples.length };
  const progress = io.progress(samples.length, `evaluate ${split}`);
  const evaluation: Awaited<ReturnType<typeof measure>> = await evaluateSplit({
    ...shared,
    slices: SLICINGS,
    sids,
    samples,
    firstRow,
    made: work.made && passedTo(work.made, (prediction) => mixture?.add(prediction)),
    recommend,
    batch,
    async onPrediction(prediction) {
      await onPrediction?.(prediction);
      await mixture?.add(prediction);
    },
    onProgress(done) {
      progress.update(done);
      io.signal.throwIfAborted();
    },
  }).finally(() => progress.stop());

  if (mixture) evaluation.mixture = { weight, ...mixture.evaluation(evaluation.secondsPerUser) };
  if (flags.baselines) {
    const numbers = items.map((_, item) => String(item));
    evaluation.baselines = {};
    for (const make of [popularityScorer, repeatRecentScorer, transitionScorer]) {
      const scorer: Scorer = make(train, items.length);
      const options = { ...shared, sids: numbers, samples, batch: samples.length };
      evaluation.baselines[scorer.name] = await evaluateSplit({
        ...options,
        recommend: scorerRecommender(scorer, numbers, beams),
      });
    }
  }
  return evaluation;
}

/** Rows, each of which `use` sees once it was counted. */
async function* passedTo(
  rows: AsyncIterable<Prediction>,
  use: (row: Prediction) => Promise<void> | undefined,
): AsyncGenerator<Prediction> {
  for await (const row of rows) {
    yield row;
    await use(row);
  }
}

/** A model's lists mixed with transition counts by SID, without the items that the counts say nothing about. */
class MixtureMeasurement {
  #sids: readonly string[];
  #weight: number;
  #k: number;
  #counts: Recommender;
  #measurement: Measurement;
  #milliseconds = 0;

  constructor(options: MeasurementOptions, weight: number) {
    const { sids, train, items, beams } = options;
    this.#sids = sids;
    this.#weight = weight;
    this.#k = Math.min(beams, new Set(sids).size);
    this.#counts = scorerRecommender(transitionScorer(train, items.length), sids, items.length);
    this.#measurement = new Measurement(options);
  }

  async add(prediction: Prediction): Promise<void> {
    const began = performance.now();
    const [{ sids, scores }] = await this.#counts([prediction]);
    const end = scores.indexOf(0);
    const counts = end < 0 ? { sids, scores } : { sids: sids.slice(0, end), scores: scores.slice(0, end) };
    const list = mixRanked(this.#listOf(prediction), counts, { weight: this.#weight, k: this.#k });
    this.#milliseconds += performance.now() - began;
    this.#measurement.add(this.#measurement.prediction(prediction.row, prediction, list));
  }

  /** Metrics; the model's own time is added to that of the mixing. */
  evaluation(modelSecondsPerUser: number): Evaluation {
    return this.#measurement.evaluation(
      modelSecondsPerUser + this.#milliseconds / 1000 / this.#measurement.users,
    );
  }

  // Items that share a SID stand together in a row.
  #listOf({ items, scores }: Prediction): Ranked {
    const names = items.map((item) => this.#sids[item]);
    const first = names.map((name, i) => name !== names[i - 1]);
    return { sids: names.filter((_, i) => first[i]), scores: scores.filter((_, i) => first[i]) };
  }
}

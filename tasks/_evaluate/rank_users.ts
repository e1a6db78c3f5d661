import { join } from "node:path";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { LineFile, makeFolder } from "../../base/files/line_file.ts";
import { UserError } from "../../base/user_error.ts";
import type { Dataset, Sample, Split } from "../../data/dataset.ts";
import { loadDataset } from "../../data/formats/load.ts";
import type { Prediction } from "../../eval/evaluate.ts";
import { rankBy, type Recommender } from "../../eval/recommender.ts";
import { loadInputs } from "../../train/run/inputs.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { type EvaluateReport, evaluationLines } from "./report_lines.ts";
import { checkEnded, RowFile, type RowSettings } from "./row_file.ts";
import { openShards, shardRows } from "./shards.ts";
import { type MeasureFlags, measureRecommender } from "./measure.ts";
import { writeResults } from "./results.ts";

/** What is evaluated, and where it goes. */
export interface EvaluateFlags extends MeasureFlags {
  split: Split;
  /** Candidates a user. */
  beams: number;
  /** `prompts.json` that was named, for the report. */
  prompts: string;
  /** Folder to write. */
  out: string;
  /** The first so many users alone; 0: all. */
  limit: number;
  /** Part of the users, such as 0/4; "": all. */
  shard: string;
  resume: boolean;
  /** Project whose format predictions are also written in, or none. */
  format: string;
}

/** Ranks a split, writes metrics.json and predictions.jsonl, and tells. Weights are loaded where rows are missing alone. */
export async function evaluateRecommender(
  recommender: Recommender,
  flags: EvaluateFlags,
  io: TaskIO,
): Promise<EvaluateReport> {
  const { dataset, catalogue: { names }, provenance } = recommender;
  const { split, beams, out, limit, shard } = flags;
  const all = samplesOf(dataset, provenance.data, split, limit);
  const { first, end } = shardRows(shard, all.length);
  const samples = all.slice(first, end);
  const settings = rowSettings(recommender, flags);
  await using rows = await RowFile.open(out, settings, flags.resume);
  if (rows.found > 0) io.log(`${rows.found} of ${samples.length} users are there from before`);
  const isWhole = rows.found >= samples.length;
  const ranker = isWhole ? undefined : {
    batch: await recommender.batchSize({ k: beams }),
    recommend: rankBy(recommender, beams),
  };
  await rows.begin();
  const evaluation = await measureRecommender({
    flags,
    io,
    dataset,
    settings,
    names,
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
  const report: EvaluateReport = { ...evaluation, ...settings, model: provenance.model };
  await rows.commit(report);
  return await told(report, flags, names, io);
}

/** Flags of {@link mergeShards}. */
export interface MergeFlags
  extends Omit<EvaluateFlags, "split" | "beams" | "limit" | "shard" | "resume" | "prompts"> {
  /** Folders of all shards. */
  merge: readonly string[];
  /** Dataset directory and index, where they were moved; "": as the shards say. */
  data: string;
  sids: string;
}

/** Makes the evaluation that one process would have made of those of its shards. */
export async function mergeShards(flags: MergeFlags, io: TaskIO): Promise<EvaluateReport> {
  const { out } = flags;
  const { settings, model, secondsPerUser, rows } = await openShards(flags.merge);
  const { split, limit } = settings;
  // Files may have moved since.
  const data = flags.data || settings.data;
  const { dataset, names } = await catalogueOf(data, flags.sids, settings);
  const samples = samplesOf(dataset, data, split, limit);
  await checkEnded(out);
  await makeFolder(out);
  await using file = await LineFile.create(join(out, "predictions.jsonl"));
  const evaluation = await measureRecommender({
    flags,
    io,
    dataset,
    settings,
    names,
    samples,
    firstRow: 0,
    made: written(rows(samples.length), file),
  });
  const report: EvaluateReport = { ...evaluation, ...settings, model, secondsPerUser };
  await file.commit();
  await writeAtomic(join(out, "metrics.json"), JSON.stringify(report, null, 2) + "\n");
  return await told(report, flags, names, io);
}

function rowSettings(recommender: Recommender, flags: EvaluateFlags): RowSettings {
  const { catalogue, provenance: { run, data, index, checkpoint }, scoreUnit, search } = recommender;
  const { prompts, split, beams, limit, shard } = flags;
  return {
    run,
    data,
    index,
    prompts,
    ...(search && { maxHistory: search.maxHistory }),
    checkpoint,
    ...(search && { normalisation: search.normalisation }),
    split,
    beams,
    limit,
    shard,
    unconstrained: search?.unconstrained ?? false,
    lists: catalogue.sids ? "sids" : "items",
    scoreUnit,
  };
}

/** The dataset of rows, and what tells its items apart. */
async function catalogueOf(data: string, sids: string, { lists, index }: RowSettings) {
  if (lists === "items") {
    const dataset = await loadDataset(data);
    return { dataset, names: dataset.items.map((_, item) => String(item)) };
  }
  const inputs = await loadInputs(data, sids || index);
  return { dataset: inputs.dataset, names: inputs.sids.map((sid) => sid.join("")) };
}

async function* written(rows: AsyncIterable<Prediction>, file: LineFile): AsyncGenerator<Prediction> {
  for await (const row of rows) {
    await file.append(row);
    yield row;
  }
}

async function told(
  report: EvaluateReport,
  { out, format, ks }: Pick<EvaluateFlags, "out" | "format" | "ks">,
  names: readonly string[],
  io: TaskIO,
): Promise<EvaluateReport> {
  evaluationLines(report).forEach((line) => io.log(line));
  io.log(`Wrote ${join(out, "metrics.json")} and ${join(out, "predictions.jsonl")}`);
  if (format !== "none") io.log(`Wrote ${(await writeResults(format, out, names, ks)).join(" and ")}`);
  return report;
}

function samplesOf({ samples }: Dataset, data: string, split: Split, limit: number): Sample[] {
  const all = samples[split];
  if (all.length === 0) {
    throw new UserError(`Cannot evaluate on ${data}: its ${split} split is empty. Choose another --split`);
  }
  return limit > 0 ? all.slice(0, limit) : all;
}

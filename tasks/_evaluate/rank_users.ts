import { join } from "node:path";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { LineFile, makeFolder } from "../../base/files/line_file.ts";
import type { Dataset, Sample } from "../../data/dataset.ts";
import { loadDataset } from "../../data/formats/load.ts";
import type { Prediction } from "../../eval/evaluate.ts";
import type { HeldFormat } from "../../models/decoder/decoder.ts";
import { rankBy, type Recommender } from "../../eval/recommender.ts";
import { openRun } from "../../train/runs/open_run.ts";
import { isModel, readRunFolder } from "../../train/runs/run_folder.ts";
import { loadInputs } from "../../train/run/inputs.ts";
import type { TaskIO } from "../_cli/cli.ts";
import { checkAsked } from "../_cli/run_flags.ts";
import { type AskedChoice, samplesToAsk } from "./asked_samples.ts";
import { type EvaluateReport, evaluationLines } from "./report_lines.ts";
import { checkEnded, RowFile, type RowSettings } from "./row_file.ts";
import { openShards, userRows } from "./shards.ts";
import { type MeasureFlags, measureRecommender } from "./measure.ts";
import { writeResults } from "./results.ts";

/** What is evaluated, and where it goes. */
export interface EvaluateFlags extends MeasureFlags, AskedChoice {
  /** Numbers that the weights are kept in. Default: "float32". */
  weights?: HeldFormat;
  /** Candidates a user. */
  beams: number;
  /** `prompts.json` that was named, for the report. */
  prompts: string;
  /** Folder to write. */
  out: string;
  /** Part of the users, such as 0/4; "": all. */
  shard: string;
  resume: boolean;
  /** Users that are ranked at once; 0 or none: as many as there is memory for. */
  batchSize?: number;
  /** Project whose format predictions are also written in, or none. */
  format: string;
}

/** How many users are ranked at once, told with what that takes; `work` rehearses it with a size, 0 for the usual one. */
export type BatchChoice = (
  size: number,
  work: (again: Recommender, size: number, onSize: (size: number) => void) => Promise<void>,
) => Promise<number | undefined>;

/**
 * Ranks a split, writes metrics.json and predictions.jsonl, and tells. Weights are loaded where rows are missing alone;
 * `chooseBatch` then says before what they and a batch take, with the same recommender on a device that computes nothing.
 * Lists are the same whatever the size of a batch.
 */
export async function evaluateRecommender(
  recommender: Recommender,
  flags: EvaluateFlags,
  io: TaskIO,
  chooseBatch?: BatchChoice,
): Promise<EvaluateReport> {
  const { dataset, catalogue: { names }, provenance } = recommender;
  const { beams, out, shard } = flags;
  checkAsked(recommender, flags.task);
  const { task = "next-item", warning } = recommender.search ?? {};
  if (warning !== undefined) io.log(`Warning: ${warning}`);
  const all = await samplesToAsk({ dataset, data: provenance.data, names }, { ...flags, task }, io.log);
  const { first, end } = userRows(shard, all.length);
  const samples = all.slice(first, end);
  const settings = rowSettings(recommender, flags);
  await using rows = await RowFile.open(out, settings, flags.resume);
  if (rows.found > 0) io.log(`${rows.found} of ${samples.length} users are there from before`);
  const isWhole = rows.found >= samples.length;
  let batch = flags.batchSize ?? 0;
  if (!isWhole && chooseBatch) {
    const longestFirst = samples.toSorted((a, b) => b.history.length - a.history.length);
    batch = await chooseBatch(batch, async (again, size, onSize) => {
      const tried = Math.min(size || await again.batchSize({ k: beams }), samples.length);
      onSize(tried);
      // The last batch is smaller, which takes kernels of its own.
      for (const size of [tried, samples.length % tried]) {
        if (size > 0) await rankBy(again, beams)(longestFirst.slice(0, size));
      }
    }) ?? batch;
  }
  const ranker = isWhole ? undefined : {
    batch: batch || await recommender.batchSize({ k: beams }),
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
  const asked = recommender.asked && ((row: number) => recommender.asked!(all[row]));
  return await told(report, flags, { names, asked }, io);
}

/** Flags of {@link mergeShards}. */
export interface MergeFlags
  extends Omit<EvaluateFlags, "split" | "task" | "rowLineEnds" | "beams" | "limit" | "shard" | "resume"> {
  /** The run, where it was moved; "": as the shards say. Its words alone are read, and for a `format`. */
  run: string;
  maxHistory: number;
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
  // Files may have moved since.
  const data = flags.data || settings.data;
  const { dataset, names } = await catalogueOf(data, flags.sids, settings);
  const samples = await samplesToAsk({ dataset, data, names }, {
    ...settings,
    preferences: flags.preferences || settings.preferences,
    rows: flags.rows || settings.rows,
  }, io.log);
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
  return await told(report, flags, { names, asked: await askedOf(flags, settings, dataset, samples) }, io);
}

/** What the model of an evaluation was asked, by row; undefined where nobody wants to know, or it reads no words. */
async function askedOf(
  { run, format, ...flags }: MergeFlags,
  settings: RowSettings,
  dataset: Dataset,
  samples: readonly Sample[],
): Promise<Wording["asked"]> {
  if (format === "none") return undefined;
  const { checkpoint, task, data } = settings;
  const path = run || settings.run;
  // A run knows how it is asked; of a model the shards tell what they were told.
  const words = isModel(await readRunFolder(path))
    ? {
      sids: flags.sids || settings.index,
      prompts: flags.prompts || settings.prompts,
      maxHistory: flags.maxHistory || settings.maxHistory,
    }
    : {};
  const recommender = await openRun(path, { ...words, dataset, data, checkpoint, task });
  recommender.destroy();
  return recommender.asked && ((row) => recommender.asked!(samples[row]));
}

/** What result files are worded with. */
interface Wording {
  /** What tells items apart (N). */
  names: readonly string[];
  asked?: Parameters<typeof writeResults>[4];
}

function rowSettings(recommender: Recommender, flags: EvaluateFlags): RowSettings {
  const { catalogue, provenance: { run, data, index, checkpoint }, scoreUnit, search } = recommender;
  const { prompts, split, preferences, rows, rowLineEnds, beams, limit, shard, weights = "float32" } = flags;
  const reasons = search?.reasons;
  return {
    run,
    data,
    index,
    prompts,
    ...(search && { maxHistory: search.maxHistory }),
    checkpoint,
    ...(search && { normalisation: search.normalisation }),
    repetitionPenalty: search?.repetitionPenalty ?? 1,
    weights,
    split,
    preferences,
    rows,
    rowLineEnds,
    beams,
    limit,
    shard,
    unconstrained: search?.unconstrained ?? false,
    task: search?.task ?? "next-item",
    ...(reasons && { maxNewTokens: reasons.maxNewTokens, temperature: reasons.temperature }),
    topK: reasons?.topK ?? 0,
    topP: reasons?.topP ?? 1,
    minP: reasons?.minP ?? 0,
    ...(reasons && reasons.temperature > 0 && { reasonSeed: reasons.seed }),
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
  { names, asked }: Wording,
  io: TaskIO,
): Promise<EvaluateReport> {
  evaluationLines(report).forEach((line) => io.log(line));
  io.log(`Wrote ${join(out, "metrics.json")} and ${join(out, "predictions.jsonl")}`);
  if (format !== "none") io.log(`Wrote ${(await writeResults(format, out, names, ks, asked)).join(" and ")}`);
  return report;
}

import { join } from "node:path";
import { z } from "zod";
import type { Dataset, Split } from "../data/dataset.ts";
import { loadDataset } from "../data/formats/load.ts";
import { writeNpy } from "../base/npy.ts";
import { UserError } from "../base/user_error.ts";
import { evaluateSplit, type Evaluation } from "../eval/evaluate.ts";
import { baselines, loadBaseline } from "../train/baselines/load.ts";
import type { TrainedBaseline } from "../train/baselines/method.ts";
import { DivergenceError } from "../train/run/divergence.ts";
import type { Retrieval } from "../train/encoder_decoder/retrieval.ts";
import { RunDirectory } from "../train/run/run_directory.ts";
import type { Task, TaskIO } from "./_cli/cli.ts";
import { RunOutput, TrainingData } from "./_cli/run_flags.ts";
import { EpochProgress } from "./_cli/epoch_progress.ts";
import { CUTOFF_COLUMNS, cutoffRow } from "./_evaluate/evaluate_report.ts";
import { DeviceFlags, openDevice } from "./_cli/open_device.ts";
import { runManifest } from "../train/run/inputs.ts";
import { LineFile, makeFolder } from "../base/files/line_file.ts";
import { checkSame } from "./_cli/resume.ts";
import { tableLines } from "./_cli/table.ts";
import { endedAs, goOnLine } from "./_cli/training_lines.ts";
import { duration } from "./_cli/progress.ts";
import { settingsDefaults, settingsFlags, settingsOf } from "./_cli/settings_flags.ts";

const config = z.strictObject({
  model: z.enum(baselines.map(({ name }) => name)).describe("what is trained:"),
  ...TrainingData,
  ...RunOutput,
  evaluate: z.enum(["none", "valid", "test"]).default("none").describe(
    "split to rank with the best checkpoint at the end: OUT/eval-SPLIT/metrics.json and predictions.jsonl;",
  ),
  beams: z.int().min(1).default(50).describe("items of a list of --evaluate; beams of models that search"),
  ...DeviceFlags,
  ...settingsFlags(baselines, "model"),
});

/**
 * `metrics.json` of a baseline. It ranks items themselves, as many as `beams` says; what searches SIDs tells how.
 */
export interface BaselineReport extends Evaluation, Partial<Retrieval> {
  run: string;
  data: string;
  model: string;
}

export const task: Task<typeof config> = {
  name: "baseline",
  summary: "train a recommender to compare with",
  examples: [
    "baseline --model sasrec --data synthetic --out runs/sasrec",
    "baseline --model transitions --data synthetic --evaluate test --out runs/transitions",
    "baseline --model sasrec --loss bce --data data/mine --evaluate test --out runs/sasrec-bce",
    "baseline --config runs/sasrec/config.json --out runs/sasrec --resume",
  ],
  config,
  async run(flags, io) {
    const report = await baseline(flags, io);
    if (io.json && report) console.log(JSON.stringify(report, null, 2));
  },
};

const USERS_A_BATCH = 256;
const BOOTSTRAP_SEED = 42;

/** Trains as the flags say, and evaluates where they ask for it. */
export async function baseline(
  flags: z.output<typeof config>,
  io: TaskIO,
): Promise<BaselineReport | undefined> {
  const { model, data, out, resume, evaluate, beams, adapter, variant } = flags;
  const method = baselines.find(({ name }) => name === model)!;
  const settings = settingsOf(method, baselines, flags, "model") as Record<string, unknown>;
  const run = new RunDirectory(out);
  await run.check(resume);
  const dataset = await loadDataset(data);
  if (evaluate !== "none" && dataset.samples[evaluate].length === 0) {
    throw new UserError(`Cannot evaluate on ${data}: its ${evaluate} split is empty. Leave out --evaluate`);
  }
  const { device } = await openDevice({ adapter, variant });
  const seed = typeof settings.seed === "number" ? settings.seed : 0;
  const manifest = await runManifest(device, dataset.name, dataset.files, { task: "baseline", seed });
  if (resume) {
    const defaults = settingsDefaults(method.Config);
    await checkSame(run, { model, ...settings }, {}, dataset.files, manifest, defaults);
  }
  const goOn = goOnLine("baseline", out);

  const resolved = { model, data, adapter, variant, ...settings };
  const progress = new EpochProgress({ device, run, resume, manifest, config: resolved, name: model }, io);
  const { onStart, onStep, onEpoch } = progress;
  const result = await method.train({
    device,
    dataset,
    run,
    resume,
    signal: io.signal,
    onStart,
    onStep,
    onEpoch,
  }, settings).catch(async (error) => {
    if (!(error instanceof DivergenceError) && await run.hasCheckpoint()) io.log(goOn);
    throw error;
  }).finally(() => progress.stop());

  if (result.stopped === "interrupted") {
    io.log(`Stopped, ${out} is saved up to its last whole epoch. ${goOn}`);
    return undefined;
  }
  const ended = endedAs(result.stopped);
  io.log(
    result.steps === 0
      ? `${ended} before, nothing is left to train.`
      : `${ended} after ${result.steps} steps, ${duration(result.seconds)}.`,
  );
  if (result.best) {
    io.log(`Kept step ${result.best.step}: valid NDCG@10 ${result.best.score.toFixed(4)}`);
  }
  const trained = await loadBaseline(device, out);
  try {
    if (trained.embeddings) {
      const { dim, data: rows } = await trained.embeddings();
      await run.write("embeddings.npy", writeNpy([trained.items, dim], rows));
      io.log(`Wrote ${join(out, "embeddings.npy")} (${trained.items}, ${dim})`);
    }
    if (evaluate === "none") return undefined;
    return await evaluateBaseline(trained, dataset, evaluate, { model, data, out, beams }, io);
  } finally {
    trained.destroy();
  }
}

async function evaluateBaseline(
  trained: TrainedBaseline,
  { items, samples }: Dataset,
  split: Split,
  { model, data, out, beams }: { model: string; data: string; out: string; beams: number },
  io: TaskIO,
): Promise<BaselineReport> {
  const folder = join(out, `eval-${split}`);
  await makeFolder(folder);
  await using predictions = await LineFile.create(join(folder, "predictions.jsonl"));
  const progress = io.progress(samples[split].length, `evaluate ${split}`);
  const sids = trained.sids ?? items.map((_, item) => String(item));
  const evaluation = await evaluateSplit({
    split,
    samples: samples[split],
    train: samples.train,
    items,
    sids,
    beams,
    batch: USERS_A_BATCH,
    seed: BOOTSTRAP_SEED,
    async recommend(users) {
      const lists = await trained.rank(users.map(({ history }) => history), beams);
      return lists.map(({ items, scores }) => ({ sids: items.map((item) => sids[item]), scores }));
    },
    onPrediction: (prediction) => predictions.append(prediction),
    onProgress(done) {
      progress.update(done);
      io.signal.throwIfAborted();
    },
  }).finally(() => progress.stop());
  await predictions.commit();
  const report: BaselineReport = { ...evaluation, ...trained.search, run: out, data, model };
  await new RunDirectory(out).write(
    `eval-${split}/metrics.json`,
    JSON.stringify(report, null, 2) + "\n",
  );
  reportLines(report).forEach((line) => io.log(line));
  io.log(`Wrote ${join(folder, "metrics.json")} and ${join(folder, "predictions.jsonl")}`);
  return report;
}

/** The report as a table for people. */
function reportLines(report: BaselineReport): string[] {
  const heading = [`${report.split}, ${report.users} users`, ...CUTOFF_COLUMNS];
  return tableLines([heading, ...Object.keys(report.hr).map((k) => cutoffRow(k, report))]);
}

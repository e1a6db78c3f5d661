import { join } from "node:path";
import { z } from "zod";
import { type Sample, splits } from "../data/dataset.ts";
import { UserError } from "../data/user_error.ts";
import { popularity, repeatRecent, type Scorer, transitions } from "../eval/baselines.ts";
import { evaluateSplit, type Evaluation } from "../eval/evaluate.ts";
import { mixRanked } from "../eval/mixture.ts";
import {
  beamRecommender,
  leafSids,
  type Ranked,
  type Recommender,
  scorerRecommender,
} from "../eval/recommender.ts";
import { writeAtomic } from "../train/run_directory.ts";
import type { Task, TaskIO } from "./_cli.ts";
import { openDevice, VariantFlag } from "./_inputs.ts";
import { LineFile, makeFolder } from "./_output.ts";
import { openModel, openRun, openSearch, resolved, RunFlags, type TrainedRun } from "./_run.ts";
import { tableLines } from "./_table.ts";

const config = z.strictObject({
  ...RunFlags,
  split: z.enum(splits).default("test").describe("samples to rank"),
  beams: z.int().min(1).default(50).describe("SIDs kept a user"),
  out: z.string().describe("folder to write: metrics.json, predictions.jsonl"),
  limit: z.int().min(0).default(0).describe("the first so many users alone; 0: all"),
  mixture: z.number().min(0).max(1).default(0).describe(
    "also report the model mixed with transition counts, which have this share; 0: no mixture",
  ),
  baselines: z.boolean().default(false).describe("also report popularity, repeat recent and transitions"),
  seed: z.int().min(0).default(42).describe("seed of the bootstrap intervals"),
  ...VariantFlag,
});

/** `metrics.json`. Baselines rank items themselves, so compare their `hr` with the model's `hrItem`. */
export interface EvaluateReport extends Evaluation {
  run: string;
  data: string;
  checkpoint: string;
  normalisation: string;
  mixture?: Evaluation & { weight: number };
  /** By name. */
  baselines?: Record<string, Evaluation>;
}

export const task: Task<typeof config> = {
  name: "evaluate",
  summary: "rank a split by beam search and score it",
  examples: [
    "evaluate --run runs/a --data synthetic --split test --beams 50 --out eval/",
    "evaluate --run runs/a --split valid --mixture 0.3 --baselines --out eval/",
  ],
  config,
  async run(flags, io) {
    const report = await evaluate(flags, io);
    if (io.json) console.log(JSON.stringify(report, null, 2));
  },
};

/** Evaluates as the flags say; also the evaluation stage of `quickstart`. */
export async function evaluate(flags: z.output<typeof config>, io: TaskIO): Promise<EvaluateReport> {
  const { split, beams, out, limit, mixture, baselines, normalisation, seed } = flags;
  const run = await openRun(flags.run, flags.data, flags);
  const { items, samples: { [split]: all, train } } = run.dataset;
  if (all.length === 0) {
    throw new UserError(
      `Cannot evaluate on ${run.data}: its ${split} split is empty. Choose another --split`,
    );
  }
  const samples = limit > 0 ? all.slice(0, limit) : all;
  const { device } = await openDevice(flags.variant);
  const { decoder, checkpoint } = await openModel(device, run, flags.checkpoint);
  await makeFolder(out);
  await using predictions = await LineFile.create(join(out, "predictions.jsonl"));

  const search = openSearch(device, run, decoder, { beams, normalisation });
  const sids = run.sids.map((sid) => sid.join(""));
  const names = leafSids(search.trie.host, sids);
  const ranked = new Map<Sample, Ranked>();
  const model = beamRecommender(search, (sample) => run.prompts.prompt(sample.history, sample), names);
  const remember: Recommender = async (batch) => {
    const lists = await model(batch);
    if (mixture > 0) batch.forEach((sample, i) => ranked.set(sample, lists[i]));
    return lists;
  };
  const shared = { split, samples, train, items, beams, batch: search.promptsPerBatch, seed };
  const progress = io.progress(samples.length, `evaluate ${split}`);
  const evaluation = await evaluateSplit({
    ...shared,
    sids,
    recommend: remember,
    onPrediction: (prediction) => predictions.append(prediction),
    onProgress(done) {
      progress.update(done);
      io.signal.throwIfAborted();
    },
  }).finally(() => progress.stop());

  const report: EvaluateReport = {
    ...evaluation,
    run: flags.run,
    data: run.data,
    checkpoint,
    normalisation: resolved(run, normalisation),
  };
  if (mixture > 0) {
    const counts = countsRecommender(run, sids);
    const recommend: Recommender = async (batch) =>
      (await counts(batch)).map((list, i) =>
        mixRanked(ranked.get(batch[i])!, list, { weight: mixture, k: search.beams })
      );
    const mixed = await evaluateSplit({ ...shared, sids, recommend });
    mixed.secondsPerUser += evaluation.secondsPerUser;
    report.mixture = { weight: mixture, ...mixed };
  }
  if (baselines) {
    const numbers = items.map((_, item) => String(item));
    report.baselines = {};
    for (const make of [popularity, repeatRecent, transitions]) {
      const scorer: Scorer = make(train, items.length);
      const recommend = scorerRecommender(scorer, numbers, beams);
      report.baselines[scorer.name] = await evaluateSplit({ ...shared, sids: numbers, recommend });
    }
  }
  await predictions.commit();
  await writeAtomic(join(out, "metrics.json"), JSON.stringify(report, null, 2) + "\n");
  evaluationLines(report).forEach((line) => io.log(line));
  io.log(`Wrote ${join(out, "metrics.json")} and ${join(out, "predictions.jsonl")}`);
  return report;
}

/** Transition counts by SID, without the items that they say nothing about. */
function countsRecommender(
  { dataset: { samples, items } }: TrainedRun,
  sids: readonly string[],
): Recommender {
  const rank = scorerRecommender(transitions(samples.train, items.length), sids, items.length);
  return async (batch) =>
    (await rank(batch)).map(({ sids, scores }) => {
      const end = scores.indexOf(0);
      return end < 0 ? { sids, scores } : { sids: sids.slice(0, end), scores: scores.slice(0, end) };
    });
}

/** The report as a table for people. */
export function evaluationLines(report: EvaluateReport): string[] {
  const { split, users, beams, mixture, baselines, checkpoint, invalid, duplicates, secondsPerUser } = report;
  const ks = Object.keys(report.hr).filter((k) => ["1", "5", "10"].includes(k));
  const last = ks.at(-1)!;
  const figure = (value: number) => value.toFixed(4);
  const row = (name: string, { hr, ndcg, ci95 }: Evaluation) => [
    name,
    ...ks.map((k) => figure(hr[k])),
    ...ks.filter((k) => k !== "1").map((k) => figure(ndcg[k])),
    ci95.hr[last].map(figure).join("-"),
    ci95.ndcg[last].map(figure).join("-"),
  ];
  const heading = [
    `${split}, ${users} users`,
    ...ks.map((k) => `HR@${k}`),
    ...ks.filter((k) => k !== "1").map((k) => `NDCG@${k}`),
    `95 % of HR@${last}`,
    `95 % of NDCG@${last}`,
  ];
  const rows = [row(`model (${checkpoint})`, report)];
  if (mixture) rows.push(row(`model + ${mixture.weight} transitions`, mixture));
  for (const [name, baseline] of Object.entries(baselines ?? {})) rows.push(row(name, baseline));
  return [
    ...tableLines([heading, ...rows]),
    `${beams} beams, ${invalid} invalid, ${duplicates} duplicates, ${
      (1000 * secondsPerUser).toFixed(1)
    } ms a user`,
  ];
}

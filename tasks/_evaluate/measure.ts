import type { Dataset, Sample } from "../../data/dataset.ts";
import { popularityScorer, repeatRecentScorer, transitionScorer } from "../../eval/count_scorers.ts";
import { type Credit, evaluateSplit, type Evaluation, type Prediction } from "../../eval/evaluate.ts";
import { MixtureMeasurement } from "../../eval/mixture.ts";
import { rankByCounts, type RankSamples } from "../../eval/recommender.ts";
import { SLICINGS } from "../../eval/slices.ts";
import type { TaskIO } from "../_cli/cli.ts";
import type { EvaluateReport } from "./report_lines.ts";
import type { RowSettings } from "./row_file.ts";

/** How lists become figures. */
export interface MeasureFlags {
  ks: readonly number[];
  credit: Credit;
  seed: number;
  /** Share of transition counts in a mixture; 0: none. */
  mixture: number;
  /** Whether counts are evaluated too. */
  baselines: boolean;
}

/** What is measured. */
export interface Work {
  flags: MeasureFlags;
  io: TaskIO;
  dataset: Dataset;
  settings: Pick<RowSettings, "split" | "beams" | "scoreUnit">;
  /** What tells items apart (N). */
  names: readonly string[];
  samples: readonly Sample[];
  firstRow: number;
  /** Rows of the first samples. */
  made?: AsyncIterable<Prediction>;
  /** What ranks the samples after them, and how many a call. */
  ranker?: { recommend: RankSamples; batch: number };
  onPrediction?: (prediction: Prediction) => Promise<void>;
}

/** Metrics of a recommender, with the mixture and the baselines that the flags ask for. */
export async function measureRecommender(
  work: Work,
): Promise<Evaluation & Pick<EvaluateReport, "mixture" | "baselines">> {
  const {
    flags,
    io,
    dataset,
    settings: { split, beams, scoreUnit },
    names,
    samples,
    firstRow,
    onPrediction,
  } = work;
  const { seed, ks, credit, mixture: weight } = flags;
  const { items, samples: { train } } = dataset;
  const shared = { split, train, items, beams, ks: [...new Set(ks)].sort((a, b) => a - b), credit, seed };
  const mixture = weight > 0
    ? new MixtureMeasurement({ ...shared, sids: names }, { weight, scoreUnit })
    : undefined;
  const missing = () => Promise.reject(new Error(`Rows are missing, expected ${samples.length}`));
  const { recommend, batch } = work.ranker ?? { recommend: missing, batch: samples.length };
  const progress = io.progress(samples.length, `evaluate ${split}`);
  const evaluation: Awaited<ReturnType<typeof measureRecommender>> = await evaluateSplit({
    ...shared,
    slices: SLICINGS,
    sids: names,
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
      const scorer = make(train, items.length);
      evaluation.baselines[scorer.name] = await evaluateSplit({
        ...shared,
        sids: numbers,
        samples,
        batch: samples.length,
        recommend: rankByCounts(scorer, numbers, beams),
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

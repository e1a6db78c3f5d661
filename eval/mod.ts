/**
 * Evaluation: recommenders, metrics with intervals, comparisons, mixtures, counts.
 * @module
 */

export {
  type CompareOptions,
  compareRanks,
  type Comparison,
  type MetricDifference,
  type RankMetric,
  type SummaryDifference,
  userMeans,
  type UserRanks,
} from "./compare.ts";
export {
  markovChainScorer,
  popularityScorer,
  repeatRecentScorer,
  type Scorer,
  transitionScorer,
} from "./count_scorers.ts";
export {
  type Credit,
  type EvaluateOptions,
  evaluateSplit,
  type Evaluation,
  Measurement,
  type MeasurementOptions,
  type Prediction,
  type Summary,
} from "./evaluate.ts";
export { type Exposure, exposureGini } from "./exposure.ts";
export { listedItems, type ScoredItem } from "./item_lists.ts";
export {
  bootstrapInterval,
  type BootstrapOptions,
  DEFAULT_KS,
  hitsAtK,
  type Interval,
  ndcgAtK,
  type PairedDifference,
  pairedDifference,
  type Rank,
  type RankMetrics,
  rankMetrics,
} from "./metrics.ts";
export { mixRanked, MixtureMeasurement, type MixtureOptions } from "./mixture.ts";
export {
  type Candidate,
  type Catalogue,
  type ListExplanation,
  type Provenance,
  rankBy,
  rankByCounts,
  type Ranked,
  type RankSamples,
  type ReasonSettings,
  type Recommender,
  type RecommendOptions,
  type RecommendRequest,
  type ScoreUnit,
  type SearchTrace,
  type SidSearch,
} from "./recommender.ts";
export { checkRows, type Score, type ScoreOptions, scoreResults } from "./score.ts";
export { type SeedStatistics, seedStatistics } from "./seed_statistics.ts";
export { type Slicing, SLICINGS } from "./slices.ts";
export type { CountedSample } from "./transition_counts.ts";

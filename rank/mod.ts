/**
 * Learning to rank: candidates of several recommenders and of counts, what is known of each, and networks that order them.
 * @module
 */

export { CANDIDATE_GENERATORS } from "./candidates/by_name.ts";
export type {
  CandidateGenerator,
  CandidateOptions,
  CandidateRequest,
  CandidateSources,
  RunList,
} from "./candidates/candidates.ts";
export { countTrain, type PurchaseCounts } from "./counts/purchases.ts";
export { countAt, type SparseCounts } from "./counts/sparse.ts";
export { FEATURE_GROUPS } from "./features/by_name.ts";
export { FeatureColumns } from "./features/columns.ts";
export type {
  FeatureColumn,
  FeatureGroup,
  FeatureSources,
  OpenFeatures,
  PutFeature,
  RankedSource,
} from "./features/features.ts";
export { inputCount, InputMoments, type Standardisation, standardise } from "./features/standardise.ts";
export { askRuns, type ListOptions } from "./lists/ask_runs.ts";
export { collectLists, type CollectOptions, type ListPart, type TargetLists } from "./lists/lists.ts";
export { ListMaker, type ListMakerParts, type MadeList } from "./lists/make.ts";
export { RANKING_LOSSES } from "./losses/by_name.ts";
export type { RankingLoss } from "./losses/losses.ts";
export { HostScores } from "./network/host_scores.ts";
export { RankNetwork, type RankShape } from "./network/network.ts";

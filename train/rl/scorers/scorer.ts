import type { RewardContext } from "../rewards/reward.ts";

/** A recommender that scores the whole catalogue. */
export interface ItemScorer {
  /** (N) a number an item for a history, oldest item first and not empty; higher is better, on any scale. */
  scores(history: readonly number[]): Float32Array | Promise<Float32Array>;
}

/** A kind of {@link ItemScorer}. */
export interface ScorerMethod {
  /** What `--collaborative` takes, for messages. */
  readonly source: string;
  /** Makes the scorer of a source; undefined for a source that is of another kind. */
  open(source: string, context: RewardContext): ItemScorer | undefined | Promise<ItemScorer | undefined>;
}

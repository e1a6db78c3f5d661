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

/**
 * Asks several recommenders for a history, and keeps what they say until it is asked for once more: what is rewarded is
 * taught next, and a ranker's lists are most of a step.
 */
export function askedTwice(
  scorers: readonly ItemScorer[],
): (history: readonly number[]) => Promise<Float32Array[]> {
  const kept = new Map<string, Promise<Float32Array[]>>();
  return (history) => {
    const key = history.join();
    const known = kept.get(key);
    if (known !== undefined) {
      kept.delete(key);
      return known;
    }
    const asked = Promise.all(scorers.map((scorer) => scorer.scores(history)));
    kept.set(key, asked);
    return asked;
  };
}

import { PhiloxStream } from "../data/philox.ts";

/** Cut-offs reported by default. */
export const DEFAULT_KS: readonly number[] = [1, 3, 5, 10, 20, 50];

/** 0-based place of the one relevant item in a user's list; null where it is not in the list. */
export type Rank = number | null;

/** Means over users, keyed by cut-off. */
export interface RankMetrics {
  /** Users averaged over. */
  users: number;
  /** Hit rate; equal to recall, since one item is relevant. */
  hr: Record<string, number>;
  /** Normalised discounted cumulative gain. */
  ndcg: Record<string, number>;
}

function checkCutoff(k: number) {
  if (Number.isInteger(k) && k > 0) return;
  throw new RangeError(`Cannot cut rankings at ${k}: expected an integer of 1 or more`);
}

/** 1 for each user whose item is among the first k, else 0. */
export function hitsAtK(ranks: readonly Rank[], k: number): Float64Array {
  checkCutoff(k);
  return Float64Array.from(ranks, (rank) => rank !== null && rank < k ? 1 : 0);
}

/** 1 / log2(rank + 2) for each user whose item is among the first k, else 0. */
export function ndcgAtK(ranks: readonly Rank[], k: number): Float64Array {
  checkCutoff(k);
  return Float64Array.from(ranks, (rank) => rank !== null && rank < k ? 1 / Math.log2(rank + 2) : 0);
}

/** Mean of values (users). */
export function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** HR@K and NDCG@K. Throws `RangeError` without users. */
export function rankMetrics(ranks: readonly Rank[], ks: readonly number[] = DEFAULT_KS): RankMetrics {
  checkNotEmpty(ranks.length);
  const metrics: RankMetrics = { users: ranks.length, hr: {}, ndcg: {} };
  for (const k of ks) {
    metrics.hr[k] = mean(hitsAtK(ranks, k));
    metrics.ndcg[k] = mean(ndcgAtK(ranks, k));
  }
  return metrics;
}

function checkNotEmpty(users: number) {
  if (users === 0) throw new RangeError("Cannot average over 0 users: expected at least one");
}

/** How to resample. */
export interface BootstrapOptions {
  /** The same seed gives the same interval. */
  seed: number;
  /** Default 1000. */
  resamples?: number;
}

/** Ends of a 95 % interval. */
export type Interval = [low: number, high: number];

/**
 * 95 % percentile bootstrap interval of the mean. values (users); users are drawn with replacement.
 * The same seed gives the same interval. Source: Efron and Tibshirani, 1993, chapter 13.
 */
export function bootstrapInterval(
  values: Float64Array,
  { seed, resamples = 1000 }: BootstrapOptions,
): Interval {
  checkNotEmpty(values.length);
  const random = new PhiloxStream(seed, "bootstrap");
  const means = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[random.below(values.length)];
    means[r] = sum / values.length;
  }
  means.sort();
  return [quantile(means, 0.025), quantile(means, 0.975)];
}

/** Mean of a - b over the same users with its bootstrap interval: 0 outside means a real difference. */
export function pairedDifference(
  a: Float64Array,
  b: Float64Array,
  options: BootstrapOptions,
): { difference: number; ci95: Interval } {
  if (a.length !== b.length) {
    throw new RangeError(
      `Cannot pair ${a.length} users with ${b.length}: expected the same users, evaluate both on one split`,
    );
  }
  const differences = a.map((value, i) => value - b[i]);
  return { difference: mean(differences), ci95: bootstrapInterval(differences, options) };
}

/** Linear interpolation between the order statistics around q · (n - 1). */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at), high = Math.ceil(at);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

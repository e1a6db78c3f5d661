import { PhiloxStream } from "../base/philox.ts";

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

/** 1 / (rank + 1) for each user whose item is in the list, else 0; their mean is the mean reciprocal rank (MRR). */
export function reciprocalRanks(ranks: readonly Rank[]): Float64Array {
  return Float64Array.from(ranks, (rank) => rank === null ? 0 : 1 / (rank + 1));
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
export function bootstrapInterval(values: Float64Array, options: BootstrapOptions): Interval {
  return bootstrapIntervals([values], options)[0];
}

/** {@link bootstrapInterval} of several values of the same users, which are drawn once for all of them. */
export function bootstrapIntervals(
  columns: readonly Float64Array[],
  { seed, resamples = 1000 }: BootstrapOptions,
): Interval[] {
  const users = columns[0].length;
  checkNotEmpty(users);
  const random = new PhiloxStream(seed, "bootstrap");
  const drawn = new Uint32Array(users);
  const means = columns.map(() => new Float64Array(resamples));
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < users; i++) drawn[i] = random.below(users);
    columns.forEach((values, column) => {
      let sum = 0;
      for (let i = 0; i < users; i++) sum += values[drawn[i]];
      means[column][r] = sum / users;
    });
  }
  return means.map((sorted) => {
    sorted.sort();
    return [quantile(sorted, 0.025), quantile(sorted, 0.975)];
  });
}

/** A difference between two lists of the same users. */
export interface PairedDifference {
  /** Mean of a - b. */
  difference: number;
  /** Its bootstrap interval: 0 outside means a real difference. */
  ci95: Interval;
  /** {@link signFlipTest}: how often chance alone gives a mean difference as large. */
  p: number;
}

/** Mean of a - b over the same users with its bootstrap interval and the p-value of a permutation test. */
export function pairedDifference(
  a: Float64Array,
  b: Float64Array,
  options: BootstrapOptions,
): PairedDifference {
  if (a.length !== b.length) {
    throw new RangeError(
      `Cannot pair ${a.length} users with ${b.length}: expected the same users, evaluate both on one split`,
    );
  }
  const differences = a.map((value, i) => value - b[i]);
  return {
    difference: mean(differences),
    ci95: bootstrapInterval(differences, options),
    p: signFlipTest(differences, options),
  };
}

/** Sign patterns drawn by default. */
const PERMUTATIONS = 10_000;

/**
 * Two-sided p-value of paired differences (users) under the hypothesis that each sign is a coin's: the share of sign
 * patterns whose sum is at least as far from 0. Exact where `permutations` patterns are enough for all, else
 * (1 + found) / (1 + drawn), which is never 0. Sources: Fisher, "The design of experiments", 1935, section 21; Phipson
 * and Smyth, 2010.
 */
export function signFlipTest(
  differences: Float64Array,
  { seed, permutations = PERMUTATIONS }: { seed: number; permutations?: number },
): number {
  // Users without a difference add 0 under either sign.
  const values = differences.filter((value) => value !== 0);
  const observed = Math.abs(values.reduce((sum, value) => sum + value, 0));
  const rounding = 1e-12 * values.reduce((sum, value) => sum + Math.abs(value), 0);
  const isAsFar = (sum: number) => Math.abs(sum) >= observed - rounding;
  let found = 0;
  if (2 ** values.length <= permutations) {
    for (let pattern = 0; pattern < 2 ** values.length; pattern++) {
      if (isAsFar(values.reduce((sum, value, i) => sum + (pattern >>> i & 1 ? value : -value), 0))) found++;
    }
    return found / 2 ** values.length;
  }
  const random = new PhiloxStream(seed, "sign flips");
  for (let r = 0; r < permutations; r++) {
    let sum = 0;
    let signs = 0;
    for (let i = 0; i < values.length; i++) {
      if (i % 32 === 0) signs = random.uint32();
      sum += signs & 1 ? values[i] : -values[i];
      signs >>>= 1;
    }
    if (isAsFar(sum)) found++;
  }
  return (1 + found) / (1 + permutations);
}

/** Linear interpolation between the order statistics around q · (n - 1). */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at), high = Math.ceil(at);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}

/** Values of users, each over the number of items that share the target's SID. */
export function credited(values: Float64Array, sharing: Float64Array): Float64Array {
  return values.map((value, user) => value / sharing[user]);
}

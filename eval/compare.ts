import { SLICE_K } from "./evaluate.ts";
import {
  credited,
  hitsAtK,
  mean,
  ndcgAtK,
  type PairedDifference,
  pairedDifference,
  type Rank,
} from "./metrics.ts";
import { rowsOf, type Slicing } from "./slices.ts";

/** What one evaluation says of each user. */
export interface UserRanks {
  /** (users): place of the target's SID. */
  ranks: readonly Rank[];
  /** (users): what a hit is divided by, 1 or the items that share the target's SID. */
  sharing: readonly number[];
}

/** A metric of two systems on the same users. */
export interface MetricDifference extends PairedDifference {
  /** Mean over users of the first one. */
  baseline: number;
  /** Mean over users of the other one. */
  value: number;
}

/** HR and NDCG of two systems, keyed by cut-off; differences are the other one's minus the first one's. */
export interface SummaryDifference {
  /** Users compared. */
  users: number;
  /** Hit rate. */
  hr: Record<string, MetricDifference>;
  /** NDCG. */
  ndcg: Record<string, MetricDifference>;
}

/** {@link SummaryDifference} of all users, and by name of the slicing and bucket. */
export interface Comparison extends SummaryDifference {
  /** At one cut-off: {@link verdictK}. */
  slices: Record<string, Record<string, SummaryDifference>>;
}

/** What {@link compareRanks} needs besides ranks. */
export interface CompareOptions {
  /** Cut-offs that both evaluations have beams for. */
  ks: readonly number[];
  /** Groups of users to compare on their own, with the bucket of each user. */
  slices: readonly { slicing: Slicing; buckets: readonly string[] }[];
  /** Of the bootstrap and of sign flips. */
  seed: number;
}

/**
 * Compares two systems on the same users, pair by pair. A system is one evaluation or more, such as one a seed: what a
 * user counts is the mean over them, so intervals and p-values are of users, the seeds being as they are.
 * Throws `RangeError` where numbers of users differ.
 */
export function compareRanks(
  baseline: readonly UserRanks[],
  other: readonly UserRanks[],
  options: CompareOptions,
): Comparison {
  const { ks, slices, seed } = options;
  const sliceKs = [verdictK(ks)];
  return {
    ...difference(baseline, other, ks, seed),
    slices: Object.fromEntries(slices.map(({ slicing, buckets }) => {
      const found = slicing.buckets.flatMap((bucket) => {
        const rows = rowsOf(buckets, bucket);
        return rows.length === 0
          ? []
          : [[bucket, difference(part(baseline, rows), part(other, rows), sliceKs, seed)]];
      });
      return [slicing.name, Object.fromEntries(found)];
    })),
  };
}

/** The cut-off that a verdict is of: the last one up to 10, or else the first. `ks` ascend. */
export function verdictK(ks: readonly number[]): number {
  return ks.filter((k) => k <= SLICE_K).at(-1) ?? ks[0];
}

/** Whether a difference is one: `none` unless interval and p-value (0.05) say the same. */
export function direction(
  { difference, ci95: [low, high], p }: PairedDifference,
): "better" | "worse" | "none" {
  if (p >= 0.05 || low <= 0 && high >= 0) return "none";
  return difference > 0 ? "better" : "worse";
}

function part(system: readonly UserRanks[], rows: readonly number[]): UserRanks[] {
  return system.map(({ ranks, sharing }) => ({
    ranks: rows.map((row) => ranks[row]),
    sharing: rows.map((row) => sharing[row]),
  }));
}

/** What each user counts (users) at a cut-off, such as `hitsAtK` and `ndcgAtK`. */
export type RankMetric = (ranks: readonly Rank[], k: number) => Float64Array;

/** What each user counts (users), mean over the evaluations of a system. Throws as {@link compareRanks}. */
export function userMeans(system: readonly UserRanks[], metric: RankMetric, k: number): Float64Array {
  const columns = system.map(({ ranks, sharing }) => credited(metric(ranks, k), Float64Array.from(sharing)));
  const [first] = columns;
  const other = columns.find(({ length }) => length !== first.length);
  if (other) {
    throw new RangeError(
      `Cannot average ${first.length} users with ${other.length}: expected the same users, evaluate all on one split`,
    );
  }
  return first.map((_, user) => columns.reduce((sum, column) => sum + column[user], 0) / columns.length);
}

function difference(
  baseline: readonly UserRanks[],
  other: readonly UserRanks[],
  ks: readonly number[],
  seed: number,
): SummaryDifference {
  const by = (metric: RankMetric) =>
    Object.fromEntries(ks.map((k) => {
      const [first, second] = [baseline, other].map((system) => userMeans(system, metric, k));
      return [k, {
        baseline: mean(first),
        value: mean(second),
        ...pairedDifference(second, first, { seed }),
      }];
    }));
  return { users: baseline[0].ranks.length, hr: by(hitsAtK), ndcg: by(ndcgAtK) };
}

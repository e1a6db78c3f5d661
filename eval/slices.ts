import type { Sample } from "../data/dataset.ts";
import { purchaseCounts } from "./count_scorers.ts";

/** A way to divide users, so that a mean over all of them hides less. */
export interface Slicing {
  /** Key in `metrics.json`. */
  name: string;
  /** Heading for people. */
  title: string;
  /** Every bucket, in the order of reports. */
  buckets: readonly string[];
  /** The bucket of a sample. `bought` (N): see {@link boughtInTrain}. */
  bucketOf(sample: Sample, bought: Float64Array): string;
}

/** The slices of `evaluate`; a new one is one more entry. */
export const SLICINGS: readonly Slicing[] = [
  {
    name: "historyLength",
    title: "items in the history",
    buckets: ["0", "1-2", "3-5", "6-10", "11-20", "over 20"],
    bucketOf({ history: { length } }) {
      return this.buckets[firstAtLeast([0, 2, 5, 10, 20], length)];
    },
  },
  {
    name: "targetPopularity",
    title: "purchases of the target in train",
    buckets: ["cold", "1-5", "6-20", "21-100", "over 100"],
    bucketOf({ target }, bought) {
      return this.buckets[firstAtLeast([0, 5, 20, 100], bought[target])];
    },
  },
  {
    name: "coldTarget",
    title: "target known from train",
    buckets: ["warm", "cold"],
    bucketOf: ({ target }, bought) => bought[target] > 0 ? "warm" : "cold",
  },
  {
    name: "repeatedTarget",
    title: "target bought before by the user",
    buckets: ["new", "repeated"],
    bucketOf: ({ history, target }) => history.includes(target) ? "repeated" : "new",
  },
];

/** Place of the first of `bounds` (ascending) that is not below `value`; their number where all are. */
function firstAtLeast(bounds: readonly number[], value: number): number {
  const place = bounds.findIndex((bound) => value <= bound);
  return place < 0 ? bounds.length : place;
}

/**
 * How often each item (N) was bought in the train period. 0: cold, an item that is neither a target nor in a history of
 * `samples`, which are in time order.
 */
export function boughtInTrain(samples: readonly Sample[], itemCount: number): Float64Array {
  const counts = purchaseCounts(samples, itemCount);
  // Later histories may hold what the first one of their user had no room for.
  for (const { history } of samples) {
    for (const item of history) counts[item] = Math.max(1, counts[item]);
  }
  return counts;
}

/** Rows that are in a bucket. */
export function rowsOf(buckets: readonly string[], bucket: string): number[] {
  return buckets.flatMap((found, row) => found === bucket ? [row] : []);
}

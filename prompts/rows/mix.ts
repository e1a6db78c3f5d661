import { PhiloxStream } from "../../base/philox.ts";
import { shuffledOrder } from "../../base/shuffle.ts";

/** Rows of one task among all rows, and how often an epoch has them. */
export interface TaskRange {
  /** Name of the task. */
  name: string;
  /** First row. */
  start: number;
  /** Number of rows. */
  count: number;
  /** Times that an epoch has each row: 1 every row once, 2 twice, 0.5 another half of them in each epoch. */
  weight: number;
}

/** Rows of a task in an epoch. */
export function rowsPerEpoch({ count, weight }: TaskRange): number {
  return Math.round(count * weight);
}

/** Rows in the order of an epoch: each task by its weight, all in one shuffle. Follows from seed and epoch alone. */
export function mixedOrder(ranges: readonly TaskRange[], epoch: number, seed: number): Uint32Array {
  const rows = new Uint32Array(ranges.reduce((sum, range) => sum + rowsPerEpoch(range), 0));
  let at = 0;
  for (const range of ranges) {
    const { name, start, count } = range;
    let left = rowsPerEpoch(range);
    for (; left >= count && count > 0; left -= count) {
      for (let i = 0; i < count; i++) rows[at++] = start + i;
    }
    for (const row of draw(count, left, new PhiloxStream(seed, `mix ${name}`, epoch))) {
      rows[at++] = start + row;
    }
  }
  return shuffledOrder(rows.length, seed, epoch).map((place) => rows[place]);
}

/** `k` different numbers below `n`, in the order drawn: the beginning of a Fisher-Yates shuffle. */
export function draw(n: number, k: number, random: PhiloxStream): Uint32Array {
  const numbers = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < k; i++) {
    const other = i + random.below(n - i);
    [numbers[i], numbers[other]] = [numbers[other], numbers[i]];
  }
  return numbers.subarray(0, k);
}

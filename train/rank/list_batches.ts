import { shuffledOrder } from "../../base/shuffle.ts";
import type { TargetLists } from "../../rank/lists/lists.ts";

/** Rows of a batch, the most: textures have no more. One list may have more. */
export const MOST_ROWS = 8192;

/**
 * Steps of an epoch, the fewest. An epoch is what valid judges and what patience counts: of one step it is so little that
 * a ranker of 50 lists stopped at half of what it came to.
 */
export const LEAST_STEPS = 8;

/** Lists of a step: `most`, or of few lists as many as leave an epoch eight steps. */
export function stepLists(lists: number, most: number): number {
  return Math.min(most, Math.ceil(lists / LEAST_STEPS));
}

/** Sizes of the largest batch. */
export interface ListCapacity {
  lists: number;
  rows: number;
}

/** Cuts `lists` in this order into batches of at most `most` lists. */
export function listBatches(
  { offsets }: Pick<TargetLists, "offsets">,
  order: Iterable<number>,
  most: number,
): number[][] {
  const batches: number[][] = [];
  let rows = Infinity;
  for (const list of order) {
    const own = offsets[list + 1] - offsets[list];
    if (batches.length === 0 || rows + own > MOST_ROWS || batches.at(-1)!.length === most) {
      batches.push([]);
      rows = 0;
    }
    batches.at(-1)!.push(list);
    rows += own;
  }
  return batches;
}

/** Batches of an epoch, in an order that depends on seed and epoch alone. */
export function epochBatches(lists: TargetLists, most: number, seed: number, epoch: number): number[][] {
  return listBatches(lists, shuffledOrder(lists.targets.length, seed, epoch), most);
}

/** Room for any batch of at most `most` lists. */
export function listCapacity({ offsets }: TargetLists, most: number): ListCapacity {
  let longest = 0;
  for (let list = 0; list + 1 < offsets.length; list++) {
    longest = Math.max(longest, offsets[list + 1] - offsets[list]);
  }
  return { lists: most, rows: Math.max(longest, Math.min(MOST_ROWS, most * longest)) };
}

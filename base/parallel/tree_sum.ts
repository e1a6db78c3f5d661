import { addNumbers } from "./world.ts";

/**
 * Sums in the order of a binary tree over the places of their terms: places 0 and 1 first, then 2 and 3, then both sums,
 * and so on; where the right branch is empty, the left one stands. Float addition gives other bits in another order, and
 * in this one a run of places that starts at a multiple of a power of two and is as long is a branch of its own, so
 * processes can sum branches and any number of them ends with the same bits.
 */
export interface TreeSteps {
  /** After the term at a place: levels whose sums are added to it, in this order. */
  add: number[];
  /** The level that the result is kept at; undefined after the last term, whose result is the sum. */
  keep: number | undefined;
}

/** What to do after the term at `place`, from 0, of `count`. */
export function treeSteps(place: number, count: number): TreeSteps {
  const isLast = place === count - 1;
  const add = [];
  let level = 0;
  // What is kept are the ones of the number of the place. Of the last term's, all are added; else only a carry.
  for (; place >> level > 0; level++) {
    if (place >> level & 1) add.push(level);
    else if (!isLast) break;
  }
  return { add, keep: isLast ? undefined : level };
}

/**
 * Terms a process sums by itself where `count` terms are dealt to `ranks`: a power of two, so that these are branches.
 * The process of rank r takes those from r times this on; the last ones may have fewer, or none.
 */
export function branchSize(count: number, ranks: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, Math.ceil(count / ranks))));
}

/** Terms that a process sums by itself. */
export interface Branch {
  /** The first one, and the one after the last, of `count`: none where both are equal. */
  first: number;
  end: number;
  /** Ranks that have any: the first ones. */
  branches: number;
}

/** The terms of `rank` where `count` of them are dealt to `size` ranks. */
export function branchOf(count: number, { rank, size }: { rank: number; size: number }): Branch {
  const most = branchSize(count, size);
  const first = Math.min(count, rank * most);
  return { first, end: Math.min(count, first + most), branches: Math.ceil(count / most) };
}

/**
 * The sum of vectors of equal length, in the order of {@link TreeSteps}, by `add`, which adds the second to the first;
 * they are overwritten. `RangeError` for none.
 */
export function treeSum(
  terms: readonly Float32Array[],
  add: (sum: Float32Array, more: Float32Array) => void = addNumbers,
): Float32Array {
  if (terms.length === 0) throw new RangeError("treeSum() of no terms: expected at least 1");
  const kept: Float32Array[] = [];
  let sum = terms[0];
  terms.forEach((term, place) => {
    const { add: levels, keep } = treeSteps(place, terms.length);
    for (const level of levels) add(term, kept[level]);
    if (keep !== undefined) kept[keep] = term;
    sum = term;
  });
  return sum;
}

import type { PackInput } from "./sequences.ts";
import { UserError } from "../../base/user_error.ts";

/** Marks a token row that predicts nothing in `PackedBatch.inverse`. */
export const NO_TARGET = 0xffffffff;

/** Fixed sizes of a batch: T token rows and R target rows. */
export interface Capacity {
  /** T. */
  tokens: number;
  /** R. */
  rows: number;
}

/** Whole sequences laid end to end; unused rows hold zeros. */
export interface PackedBatch {
  /** (T) */
  tokens: Uint32Array;
  /** (T), counted from 0 in each sequence. */
  positions: Uint32Array;
  /** (T) first row of the row's sequence. Unused rows have start = end = 0 and attend to nothing. */
  starts: Uint32Array;
  /** (T) one past the last row of the row's sequence. */
  ends: Uint32Array;
  /** (R) token row from which the target is predicted, ascending. */
  targetRows: Uint32Array;
  /** (R) */
  targetTokens: Uint32Array;
  /** (R) as given, not normalised; unused rows 0. */
  targetWeights: Float32Array;
  /** (T) the row's place in the target list, or `NO_TARGET`. */
  inverse: Uint32Array;
  /** Rows in use, sum of the target weights, and sequences. */
  counts: { tokens: number; targets: number; weightSum: number; sequences: number };
}

/**
 * Assigns sequences to batches, first-fit in the given order: a sequence goes to the earliest batch with room
 * for its tokens and targets. Returns the sequence numbers of each batch. Throws `UserError` for a sequence
 * that no batch can hold.
 */
export function planBatches(
  sizes: readonly { tokens: number; targets: number }[],
  capacity: Capacity,
  order: Iterable<number> = sizes.keys(),
): number[][] {
  const batches: { members: number[]; tokens: number; targets: number }[] = [];
  // Batches before this one are too full for the smallest sequence, so first-fit need not look at them.
  let firstOpen = 0;
  const smallest = sizes.reduce((least, size) => Math.min(least, size.tokens), Infinity);
  for (const number of order) {
    const { tokens, targets } = sizes[number];
    if (tokens > capacity.tokens || targets > capacity.rows) {
      throw new UserError(
        `Cannot pack a sequence of ${tokens} tokens and ${targets} targets into batches of ` +
          `${capacity.tokens} tokens and ${capacity.rows} targets: raise the batch size or shorten the histories`,
      );
    }
    while (
      firstOpen < batches.length && capacity.tokens - batches[firstOpen].tokens < smallest
    ) firstOpen++;
    let place = firstOpen;
    while (
      place < batches.length &&
      (batches[place].tokens + tokens > capacity.tokens || batches[place].targets + targets > capacity.rows)
    ) place++;
    batches[place] ??= { members: [], tokens: 0, targets: 0 };
    batches[place].members.push(number);
    batches[place].tokens += tokens;
    batches[place].targets += targets;
  }
  return batches.map((batch) => batch.members);
}

/** Lays sequences into one batch. Throws `RangeError` when they exceed its capacity; `planBatches` avoids that. */
export function packBatch(sequences: readonly PackInput[], capacity: Capacity): PackedBatch {
  const batch: PackedBatch = {
    tokens: new Uint32Array(capacity.tokens),
    positions: new Uint32Array(capacity.tokens),
    starts: new Uint32Array(capacity.tokens),
    ends: new Uint32Array(capacity.tokens),
    targetRows: new Uint32Array(capacity.rows),
    targetTokens: new Uint32Array(capacity.rows),
    targetWeights: new Float32Array(capacity.rows),
    inverse: new Uint32Array(capacity.tokens).fill(NO_TARGET),
    counts: { tokens: 0, targets: 0, weightSum: 0, sequences: sequences.length },
  };
  const { counts } = batch;
  for (const { tokens, targets } of sequences) {
    const start = counts.tokens, end = start + tokens.length;
    if (end > capacity.tokens || counts.targets + targets.length > capacity.rows) {
      throw new RangeError(
        `Cannot pack ${end} tokens and ${counts.targets + targets.length} targets: expected at most ` +
          `${capacity.tokens} and ${capacity.rows}, assign sequences with planBatches()`,
      );
    }
    batch.tokens.set(tokens, start);
    for (let row = start; row < end; row++) batch.positions[row] = row - start;
    batch.starts.fill(start, start, end);
    batch.ends.fill(end, start, end);
    for (const { at, token, weight } of targets) {
      const place = counts.targets++;
      batch.targetRows[place] = start + at;
      batch.targetTokens[place] = token;
      batch.targetWeights[place] = weight;
      batch.inverse[start + at] = place;
      counts.weightSum += weight;
    }
    counts.tokens = end;
  }
  return batch;
}

/** `planBatches` and `packBatch` in one, for sequences already in the wanted order. */
export function packSequences(sequences: readonly PackInput[], capacity: Capacity): PackedBatch[] {
  const sizes = sequences.map(({ tokens, targets }) => ({ tokens: tokens.length, targets: targets.length }));
  return planBatches(sizes, capacity)
    .map((members) => packBatch(members.map((number) => sequences[number]), capacity));
}

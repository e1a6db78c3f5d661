import type { Device } from "../../kernels/gpu/device.ts";
import { type TokenOccurrences, tokenOccurrences } from "../../kernels/rows/embedding.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import type { Capacity, PackedBatch } from "../../data/packing/batches.ts";
import { FlatSections } from "../parameters/flat_sections.ts";

/** Packed rows on the device: what a decoder reads in a training step, and the rows from which it predicts. */
export interface PackedRows {
  /** Token ids (T). */
  tokens: Flat;
  /** Position of each token in its sequence (T), for the rotary embedding. */
  positions: Flat;
  /** The two intervals of keys that each query sees (4 T): see `kernels/attention/attention.ts`. */
  intervals: Flat;
  /** The interval of queries that sees each key (2 T). */
  viewers: Flat;
  /** Rows of each token, for the gradient of the embedding. */
  occurrences: TokenOccurrences;
  /** Rows from which tokens are predicted (R). */
  targetRows: Flat;
  /** Place of each row in `targetRows` (T). */
  inverse: Flat;
}

/** Packed rows with one target each. */
export interface PackedTokens extends PackedRows {
  /** Token ids to predict (R). */
  targets: Flat;
  /** Their loss weights (R), f32. */
  weights: Flat;
}

/** Names and lengths of the arrays of {@link PackedRows}, for `FlatSections`. */
export function rowSections({ tokens: T, rows: R }: Capacity) {
  return {
    tokens: T,
    positions: T,
    intervals: 4 * T,
    viewers: 2 * T,
    distinct: T,
    offsets: T + 1,
    occurrences: T,
    targetRows: R,
    inverse: T,
  };
}

/** A name of {@link rowSections}. */
export type RowSection = keyof ReturnType<typeof rowSections>;

/** {@link PackedRows} of uploaded arrays. */
export function packedRows(flats: Readonly<Record<RowSection, Flat>>): PackedRows {
  const { tokens, positions, intervals, viewers, targetRows, inverse } = flats;
  const occurrences = { tokens: flats.distinct, offsets: flats.offsets, rows: flats.occurrences };
  return { tokens, positions, intervals, viewers, occurrences, targetRows, inverse };
}

/** Where the first `count` of `tokens` occur, under the names of {@link rowSections}. */
export function occurrenceArrays(tokens: Uint32Array, count: number) {
  const { tokens: distinct, offsets, rows: occurrences } = tokenOccurrences(tokens, count);
  return { distinct, offsets, occurrences };
}

/** Room for one batch of fixed capacity. */
export class PackedTokensBuffer {
  readonly capacity: Capacity;
  readonly packed: PackedTokens;
  #sections: FlatSections<RowSection | "targets" | "weights">;

  constructor(device: Device, capacity: Capacity) {
    this.capacity = capacity;
    const { rows: R } = capacity;
    this.#sections = new FlatSections(device, { ...rowSections(capacity), targets: R, weights: R });
    const { flats } = this.#sections;
    this.packed = {
      ...packedRows(flats),
      targets: flats.targets,
      weights: this.#sections.asFloats("weights"),
    };
  }

  /** Uploads `batch`. Loss weights are multiplied by `weightScale`, e.g. 1 / their sum over the whole step. */
  write(batch: PackedBatch, weightScale: number): void {
    const { tokens: T, rows: R } = this.capacity;
    const intervals = new Uint32Array(4 * T);
    const viewers = new Uint32Array(2 * T);
    for (let row = 0; row < batch.counts.tokens; row++) {
      intervals.set([batch.starts[row], row + 1], 4 * row);
      viewers.set([row, batch.ends[row]], 2 * row);
    }
    const weights = new Float32Array(R);
    for (let row = 0; row < R; row++) weights[row] = batch.targetWeights[row] * weightScale;
    this.#sections.write({
      tokens: batch.tokens,
      positions: batch.positions,
      intervals,
      viewers,
      ...occurrenceArrays(batch.tokens, batch.counts.tokens),
      targetRows: batch.targetRows,
      inverse: batch.inverse,
      targets: batch.targetTokens,
      weights,
    });
  }

  destroy(): void {
    this.#sections.destroy();
  }
}

import type { Device } from "../kernels/device.ts";
import { type TokenOccurrences, tokenOccurrences } from "../kernels/embedding.ts";
import type { Flat } from "../kernels/tensor.ts";
import type { Capacity, PackedBatch } from "../data/batches.ts";

/** A packed batch on the device: what a decoder reads in a training step. */
export interface PackedTokens {
  /** Token ids (T). */
  tokens: Flat;
  /** Position of each token in its sequence (T), for the rotary embedding. */
  positions: Flat;
  /** The two intervals of keys that each query sees (4 T): see `kernels/attention.ts`. */
  intervals: Flat;
  /** The interval of queries that sees each key (2 T). */
  viewers: Flat;
  /** Rows of each token, for the gradient of the embedding. */
  occurrences: TokenOccurrences;
  /** Rows that have a target (R). */
  targetRows: Flat;
  /** Place of each row in `targetRows` (T). */
  inverse: Flat;
  /** Token ids to predict there (R). */
  targets: Flat;
  /** Their loss weights (R), f32. */
  weights: Flat;
}

/** Room for one batch of fixed capacity in a single buffer: an upload is one write, and bind groups never change. */
export class PackedTokensBuffer {
  readonly capacity: Capacity;
  readonly packed: PackedTokens;
  #device: Device;
  #all: Flat;
  #host: Uint32Array;
  #starts = new Map<string, number>();

  constructor(device: Device, capacity: Capacity) {
    this.#device = device;
    this.capacity = capacity;
    const { tokens: T, rows: R } = capacity;
    const sections: [string, number][] = [
      ["tokens", T],
      ["positions", T],
      ["intervals", 4 * T],
      ["viewers", 2 * T],
      ["distinct", T],
      ["offsets", T + 1],
      ["occurrences", T],
      ["targetRows", R],
      ["inverse", T],
      ["targets", R],
      ["weights", R],
    ];
    let end = 0;
    for (const [name, length] of sections) {
      this.#starts.set(name, end);
      end = Math.ceil((end + length) / 64) * 64; // slices start at multiples of 256 bytes
    }
    this.#all = device.createFlat("u32", end);
    this.#host = new Uint32Array(end);
    const slices = Object.fromEntries(
      sections.map(([name, length]) => [name, device.slice(this.#all, this.#starts.get(name)!, length)]),
    );
    this.packed = {
      tokens: slices.tokens,
      positions: slices.positions,
      intervals: slices.intervals,
      viewers: slices.viewers,
      occurrences: { tokens: slices.distinct, offsets: slices.offsets, rows: slices.occurrences },
      targetRows: slices.targetRows,
      inverse: slices.inverse,
      targets: slices.targets,
      weights: { ...slices.weights, dtype: "f32" },
    };
  }

  /** Uploads `batch`. Loss weights are multiplied by `weightScale`, e.g. 1 / their sum over the whole step. */
  write(batch: PackedBatch, weightScale: number): void {
    const put = (name: string, values: Uint32Array) => this.#host.set(values, this.#starts.get(name)!);
    const { tokens: T, rows: R } = this.capacity;
    const intervals = new Uint32Array(4 * T);
    const viewers = new Uint32Array(2 * T);
    for (let row = 0; row < batch.counts.tokens; row++) {
      intervals.set([batch.starts[row], row + 1], 4 * row);
      viewers.set([row, batch.ends[row]], 2 * row);
    }
    const occurrences = tokenOccurrences(batch.tokens, batch.counts.tokens);
    const weights = new Float32Array(R);
    for (let row = 0; row < R; row++) weights[row] = batch.targetWeights[row] * weightScale;
    put("tokens", batch.tokens);
    put("positions", batch.positions);
    put("intervals", intervals);
    put("viewers", viewers);
    put("distinct", occurrences.tokens);
    put("offsets", occurrences.offsets);
    put("occurrences", occurrences.rows);
    put("targetRows", batch.targetRows);
    put("inverse", batch.inverse);
    put("targets", batch.targetTokens);
    put("weights", new Uint32Array(weights.buffer));
    this.#device.write(this.#all, this.#host);
  }

  destroy(): void {
    this.#device.destroy(this.#all);
  }
}

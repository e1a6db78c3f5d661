import type { Device } from "../kernels/device.ts";

/** Vectors of N items. */
export interface Embeddings {
  /** (rows, dim), row after row. */
  data: Float32Array;
  /** Items, N. */
  rows: number;
  /** Numbers an item, D. */
  dim: number;
}

/** SIDs that a method found. Item n has codes[n * levels] to codes[n * levels + levels - 1]. */
export interface SidFit {
  /** (N, L), row after row: codewords from 0. */
  codes: Uint16Array<ArrayBuffer>;
  /** Codebooks, L. */
  levels: number;
  /** (K, D) of each level. */
  codebooks: Float32Array<ArrayBuffer>[];
  /** Mean over items and dimensions of the squared rest after each level. */
  errors: number[];
}

/** State of a running fit. */
export interface SidProgress {
  /** Units of work done, of `total`. */
  done: number;
  /** Upper bound: a fit that converges early jumps. */
  total: number;
  /** Level at work, from 0. */
  level: number;
  /** Mean squared rest so far on that level, as in {@link SidFit}. */
  error: number;
}

/** What a method's settings may be: as much of a zod object as its users need. */
export interface SettingsSchema<C> {
  /** Settings with defaults filled in. Throws a `ZodError` for values out of range and unknown keys. */
  parse(settings: unknown): C;
  /** A zod type for each setting, with its default and description: the flags of the command line. */
  readonly shape: Readonly<Record<string, unknown>>;
}

/** A way to make SIDs of item embeddings: one module and one line in `registry.ts`. */
export interface SidMethod<C = unknown> {
  /** Name on the command line. */
  readonly name: string;
  /** Settings with defaults and descriptions. */
  readonly Config: SettingsSchema<C>;
  /**
   * Learns codebooks and codes the items with them. The same embeddings, settings and adapter give the same bytes.
   * @throws {UserError} if the embeddings cannot be coded: fewer items than codewords, numbers that are not finite.
   */
  fit(
    device: Device,
    embeddings: Embeddings,
    config: C,
    onProgress?: (progress: SidProgress) => void,
  ): Promise<SidFit>;
  /** Codes (N, L) of items with codebooks that `fit` learned; for the items it learned from, the same codes. */
  encode(
    device: Device,
    embeddings: Embeddings,
    codebooks: readonly Float32Array[],
  ): Promise<Uint16Array<ArrayBuffer>>;
}

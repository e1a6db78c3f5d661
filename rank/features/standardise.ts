import type { FeatureColumn } from "./features.ts";

/** What is added to a value before its log. */
const LOG_FLOOR = 1e-3;
/** Standardised values beyond this are cut off. */
const MOST = 5;
/** Deviations below this are of inputs that are constant, which become 0. */
const CONSTANT = 1e-6;

/** Mean and standard deviation of each input (F). */
export interface Standardisation {
  /** (F). */
  readonly mean: Float32Array;
  /** (F). */
  readonly deviation: Float32Array;
}

/** Number of inputs F that columns become: each itself, and unless it is signed its log and whether it is 0. */
export function inputCount(columns: readonly FeatureColumn[]): number {
  return columns.reduce((sum, { signed }) => sum + (signed ? 1 : 3), 0);
}

/** Mean and deviation of inputs over rows that come part by part. */
export class InputMoments {
  readonly #columns: readonly FeatureColumn[];
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  readonly #row: Float64Array;
  #rows = 0;

  /** Nothing added yet. */
  constructor(columns: readonly FeatureColumn[]) {
    this.#columns = columns;
    const inputs = inputCount(columns);
    this.#sums = new Float64Array(inputs);
    this.#squares = new Float64Array(inputs);
    this.#row = new Float64Array(inputs);
  }

  /** Adds raw values (rows, C). */
  add(raw: Float32Array): void {
    const width = this.#columns.length;
    for (let at = 0; at < raw.length; at += width) {
      expand(this.#columns, raw, at, this.#row, 0);
      for (let i = 0; i < this.#row.length; i++) {
        this.#sums[i] += this.#row[i];
        this.#squares[i] += this.#row[i] * this.#row[i];
      }
    }
    this.#rows += raw.length / width;
  }

  /** What the rows so far say. */
  standardisation(): Standardisation {
    const rows = Math.max(1, this.#rows);
    const mean = this.#sums.map((sum) => sum / rows);
    const deviation = this.#squares.map((square, i) =>
      Math.sqrt(Math.max(0, square / rows - mean[i] * mean[i]))
    );
    return { mean: Float32Array.from(mean), deviation: Float32Array.from(deviation) };
  }
}

/**
 * What a network reads of raw values (rows, C): (rows, F), each input with mean 0 and deviation 1, cut off at 5. Written to
 * `to` from its element `start` on, rows `stride` elements apart.
 */
export function standardise(
  columns: readonly FeatureColumn[],
  { mean, deviation }: Standardisation,
  raw: Float32Array,
  to: Float32Array,
  start = 0,
  stride = mean.length,
): void {
  const inputs = mean.length;
  let out = start;
  for (let at = 0; at < raw.length; at += columns.length, out += stride) {
    expand(columns, raw, at, to, out);
    for (let i = 0; i < inputs; i++) {
      const scaled = deviation[i] < CONSTANT ? 0 : (to[out + i] - mean[i]) / deviation[i];
      to[out + i] = Math.max(-MOST, Math.min(MOST, scaled));
    }
  }
}

function expand(
  columns: readonly FeatureColumn[],
  raw: Float32Array,
  at: number,
  to: Float32Array | Float64Array,
  start: number,
): void {
  let out = start;
  for (let column = 0; column < columns.length; column++) {
    const value = raw[at + column];
    to[out++] = value;
    if (columns[column].signed) continue;
    to[out++] = Math.log(Math.max(value, 0) + LOG_FLOOR);
    to[out++] = value <= 0 ? 1 : 0;
  }
}

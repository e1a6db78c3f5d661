import type { TensorMap } from "../models/parameters/parameters.ts";
import type { Embeddings } from "./embeddings.ts";

/**
 * What is done to embeddings before they are coded: `center` takes the mean off and divides all numbers by one standard
 * deviation, which keeps who is near whom; `standardize` divides every dimension by its own; `l2` gives every row
 * length 1.
 */
export const VECTOR_SCALINGS = ["none", "center", "standardize", "l2"] as const;
/** One of {@link VECTOR_SCALINGS}. */
export type VectorScaling = typeof VECTOR_SCALINGS[number];

/** x -> (x - mean) / scale by dimension, of rows that have length 1 where `unit`. */
export interface Normalizer {
  unit: boolean;
  /** (D). */
  mean: Float32Array<ArrayBuffer>;
  /** (D), above 0. With `unit` the mean length of a row, and rows are multiplied by it on the way back. */
  scale: Float32Array<ArrayBuffer>;
}

/** Statistics of `embeddings` that `kind` needs. */
export function fitNormalizer({ data, rows, dim }: Embeddings, kind: VectorScaling): Normalizer {
  const mean = new Float32Array(dim);
  const scale = new Float32Array(dim).fill(1);
  if (kind === "l2") {
    let lengths = 0;
    for (let row = 0; row < rows; row++) lengths += length(data.subarray(row * dim, (row + 1) * dim));
    return { unit: true, mean, scale: scale.fill(lengths / rows || 1) };
  }
  if (kind === "none") return { unit: false, mean, scale };
  const sums = new Float64Array(dim);
  data.forEach((value, i) => sums[i % dim] += value);
  mean.forEach((_, d) => mean[d] = sums[d] / rows);
  const squares = new Float64Array(dim);
  data.forEach((value, i) => squares[i % dim] += (value - mean[i % dim]) ** 2);
  if (kind === "center") {
    scale.fill(Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / data.length) || 1);
  } else {
    scale.forEach((_, d) => scale[d] = Math.sqrt(squares[d] / rows) || 1); // a constant dimension becomes 0
  }
  return { unit: false, mean, scale };
}

/** Normalised copy of `embeddings`. */
export function normalize({ data, rows, dim }: Embeddings, { unit, mean, scale }: Normalizer): Embeddings {
  const result = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += dim) {
    const divisor = unit ? length(data.subarray(start, start + dim)) || 1 : 1;
    for (let d = 0; d < dim; d++) {
      result[start + d] = unit ? data[start + d] / divisor : (data[start + d] - mean[d]) / scale[d];
    }
  }
  return { data: result, rows, dim };
}

/** The way back, in place. vectors (N, D); rows of length 1 get the mean length. */
export function denormalize(vectors: Float32Array, { mean, scale }: Normalizer): void {
  const dim = mean.length;
  vectors.forEach((value, i) => vectors[i] = value * scale[i % dim] + mean[i % dim]);
}

/** Statistics as tensors `input.mean` and `input.scale`, (1, D) each. */
export function normalizerTensors({ mean, scale }: Normalizer): TensorMap {
  const shape = [1, mean.length];
  return new Map([["input.mean", { shape, data: mean }], ["input.scale", {
    shape: [...shape],
    data: scale,
  }]]);
}

/** Statistics back from {@link normalizerTensors}. */
export function normalizerOf(tensors: TensorMap, kind: VectorScaling): Normalizer {
  const [mean, scale] = ["mean", "scale"].map((name) =>
    Float32Array.from(tensors.get(`input.${name}`)!.data)
  );
  return { unit: kind === "l2", mean, scale };
}

function length(row: Float32Array): number {
  return Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
}

import { type AttentionShape, type KeyValues, MAX_HEAD_DIM } from "../attention/attention.ts";
import { chunkSums } from "../reduce/column_sum.ts";
import type { Device } from "../gpu/device.ts";
import { thresholdOf } from "../random/dropout.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { gatherRows } from "../rows/gather.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import backwardCode from "./relative_attention_backward.wgsl" with { type: "text" };
import biasCode from "./relative_bias.wgsl" with { type: "text" };
import dropoutCode from "./attention_dropout.wgsl" with { type: "text" };
import philoxCode from "../random/philox.wgsl" with { type: "text" };
import distanceCode from "./distance.wgsl" with { type: "text" };
import forwardCode from "./relative_attention.wgsl" with { type: "text" };
import { headCode } from "../attention/registers.ts";
import intervalsCode from "../attention/intervals.wgsl" with { type: "text" };

/** Bias of relative positions (Shaw et al. 2018; Raffel et al. 2020, arXiv:1910.10683, section 2.1). */
export interface RelativeBias {
  /** Added to the scores (buckets, heads); a multiple of 4 buckets. */
  table: Matrix;
  /**
   * Bucket of each distance, the key's place less the query's, from -D to D (2 D + 1); those farther away have the bucket
   * of the farthest. Distances of four buckets 4n to 4n + 3 must follow each other.
   */
  buckets: Flat;
}

/** Inverted dropout of the weights that keys have after the softmax. */
export interface AttentionDropout {
  /** u32 [key low, key high, step, unused]. */
  seed: Flat;
  /** Tells the dropouts of a step apart. */
  stream: number;
  /** Probability to drop, in [0, 1). */
  rate: number;
}

/** What is added to the scores, and what is dropped of the weights. */
export interface AttentionTerms {
  /** Default none. */
  bias?: RelativeBias;
  /** Default none. */
  dropout?: AttentionDropout;
}

/** What {@link relativeAttention} returns. */
export interface RelativeAttention {
  /** Attended values (Tq, heads * headDim). */
  o: Matrix;
  /** Log-sum-exp of head h in column 4h (Tq, 4 * heads), for the backward pass. */
  lse: Matrix;
  /** Bias of each distance (2 D + 1, heads), for the backward pass. */
  biases?: Matrix;
}

/** Queries: a matrix and the first of their columns. */
export interface Queries {
  /** (Tq, ..). */
  matrix: Matrix;
  /** Multiple of 4. */
  q: number;
}

interface Kernels {
  forward: Kernel;
  dq: Kernel;
  dkv: Kernel;
}

const made = new Map<number, Kernels>();
const afterHead = intervalsCode + distanceCode + philoxCode + dropoutCode;

// Kernels by head width and use of dropout, the same object at each call so that pipelines are cached.
function kernelsOf(headDim: number, dropout: boolean): Kernels {
  const key = 2 * headDim + Number(dropout);
  const known = made.get(key);
  if (known) return known;
  const constants = { GROUPS: headDim / 4, DROPOUT: Number(dropout) };
  const common = { workgroup: [8, 1] as const, constants };
  const prelude = headCode(headDim) + afterHead;
  const backward = {
    ...common,
    label: "kernels/relative_attention/relative_attention_backward.wgsl",
    code: prelude + backwardCode,
    inputs: 5,
    flats: ["read", "read", "read", "read"] as const,
  };
  const kernels: Kernels = {
    forward: {
      ...common,
      label: "kernels/relative_attention/relative_attention.wgsl",
      code: prelude + forwardCode,
      entry: "relative_attention",
      staged: true,
      inputs: 3,
      outputs: 2,
      flats: ["read", "read"],
    },
    dq: { ...backward, entry: "relative_attention_dq", outputs: 2 },
    dkv: { ...backward, entry: "relative_attention_dkv", outputs: 1 },
  };
  made.set(key, kernels);
  return kernels;
}

const bias = { label: "kernels/relative_attention/relative_bias.wgsl", code: biasCode };
const statsKernel: Kernel = {
  ...bias,
  entry: "attention_stats",
  inputs: 3,
  outputs: 1,
  flats: [],
  workgroup: [64, 1],
};
const totalKernel: Kernel = {
  ...bias,
  entry: "bias_total",
  inputs: 1,
  outputs: 0,
  flats: ["read_write"],
  workgroup: [16, 1],
};

/** Heads of queries, keys and values alike. */
export type RelativeShape = Pick<AttentionShape, "heads" | "headDim">;

/**
 * Attention as in T5: scores are q . k without 1 / sqrt(headDim), plus the bias of the head and the distance, if there
 * is one. `intervals` (4 Tq) holds, a query, the keys [start, end) that it sees, the row that its own place has among
 * the keys, and 0. Queries may be columns of the matrix of the keys (self-attention) or not (cross-attention).
 * A query that sees no key gets zeros.
 */
export function relativeAttention(
  device: Device,
  queries: Queries,
  keys: KeyValues,
  intervals: Flat,
  shape: RelativeShape,
  { bias, dropout }: AttentionTerms = {},
): RelativeAttention {
  checkShape(shape, bias);
  const { matrix, q } = queries;
  expectLength("relativeAttention() intervals", intervals, "u32", 4 * matrix.rows);
  const { heads, headDim } = shape;
  const o = device.matrix(matrix.rows, heads * headDim);
  const lse = device.matrix(matrix.rows, 4 * heads, "f32");
  const dropped = dropoutParams(dropout);
  const biases = bias && gatherRows(device, bias.table, bias.buckets, bias.buckets.length);
  device.run(kernelsOf(headDim, !!dropout).forward, {
    // Without a bias or dropout their operands are bound, but not read.
    inputs: [matrix, keys.matrix, biases ?? matrix],
    outputs: [o, lse],
    flats: [intervals, dropout?.seed ?? intervals],
    u32: [matrix.rows, heads, q / 4, keys.k / 4, keys.v / 4, farthestOf(bias), ...dropped.u32],
    f32: dropped.f32,
    invocations: [Math.ceil(matrix.rows / 2), heads],
  });
  return { o, lse, biases };
}

/** What the backward pass of {@link relativeAttention} needs beside its operands. */
export interface RelativeBackward extends AttentionTerms {
  /** Gradient of o (Tq, heads * headDim). */
  dO: Matrix;
  /** What the forward pass returned. */
  saved: RelativeAttention;
  /** As in the forward pass. */
  intervals: Flat;
  /** The queries (start, end) that see each key (2 Tk): an interval, as they lie. */
  viewers: Flat;
  /** Gradient of the bias table, rows in whole groups of four, added to; absent where it is frozen. */
  biasGradient?: Flat;
}

/**
 * Backward of {@link relativeAttention} -> gradients of the matrices of queries and keys: one matrix for both where they
 * are the same. All columns of each must be queries, keys or values of this call.
 */
export function relativeAttentionBackward(
  device: Device,
  queries: Queries,
  keys: KeyValues,
  { dO, saved, intervals, viewers, bias, dropout, biasGradient }: RelativeBackward,
  shape: RelativeShape,
): { dQueries: Matrix; dKeys: Matrix } {
  checkShape(shape, bias);
  const { heads, headDim } = shape;
  const { matrix, q } = queries;
  const buckets = bias?.table.rows ?? 0;
  expectShape("relativeAttentionBackward() dO", dO, matrix.rows, heads * headDim);
  expectLength("relativeAttentionBackward() viewers", viewers, "u32", 2 * keys.matrix.rows);
  const stats = device.matrix(matrix.rows, 4 * heads, "f32");
  device.run(statsKernel, {
    inputs: [dO, saved.o, saved.lse],
    outputs: [stats],
    u32: [matrix.rows, heads, headDim / 4, 0, 0],
    invocations: [matrix.rows, heads],
  });
  const dQueries = device.matrix(matrix.rows, matrix.cols);
  const dKeys = keys.matrix === matrix ? dQueries : device.matrix(keys.matrix.rows, keys.matrix.cols);
  const terms = device.matrix(bias ? matrix.rows : 1, Math.max(4, heads * buckets), "f32");
  const { dq, dkv } = kernelsOf(headDim, !!dropout);
  const dropped = dropoutParams(dropout);
  const common = {
    inputs: [matrix, keys.matrix, dO, stats, saved.biases ?? matrix],
    flats: [intervals, viewers, bias?.buckets ?? viewers, dropout?.seed ?? intervals],
    f32: dropped.f32,
  };
  const params = [heads, q / 4, keys.k / 4, keys.v / 4, farthestOf(bias), buckets / 4, ...dropped.u32];
  device.run(dq, {
    ...common,
    outputs: [dQueries, terms],
    u32: [matrix.rows, ...params],
    invocations: [Math.ceil(matrix.rows / 2), heads],
  });
  device.run(dkv, {
    ...common,
    outputs: [dKeys],
    u32: [keys.matrix.rows, ...params],
    invocations: [Math.ceil(keys.matrix.rows / 2), heads],
  });
  device.release(stats);
  if (biasGradient) addBiasGradient(device, terms, biasGradient, heads, buckets);
  device.release(terms);
  return { dQueries, dKeys };
}

/** terms (T, heads * buckets) -> added to gradient (buckets, heads), in two passes of fixed order. */
function addBiasGradient(device: Device, terms: Matrix, gradient: Flat, heads: number, buckets: number) {
  const stride = groupsOf(heads) * 4;
  expectLength("relativeAttentionBackward() bias gradient", gradient, "f32", buckets * stride);
  const groups = heads * buckets / 4;
  const partial = chunkSums(device, terms);
  device.run(totalKernel, {
    inputs: [partial],
    flats: [gradient],
    u32: [partial.rows, heads, groups, stride, buckets],
    invocations: [groups, 1],
  });
  device.release(partial);
}

function dropoutParams(dropout: AttentionDropout | undefined) {
  if (!dropout) return { u32: [0, 0], f32: [1] };
  const { rate, seed, stream } = dropout;
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`relativeAttention() dropout rate is ${rate}: expected 0 <= rate < 1`);
  }
  expectLength("relativeAttention() seed", seed, "u32", 4);
  const threshold = thresholdOf(rate);
  return { u32: [stream, threshold], f32: [65536 / (65536 - threshold)] };
}

function farthestOf(bias: RelativeBias | undefined): number {
  return bias ? (bias.buckets.length - 1) / 2 : 0;
}

function checkShape({ heads, headDim }: RelativeShape, bias: RelativeBias | undefined): void {
  if (headDim % 4 !== 0 || headDim > MAX_HEAD_DIM) {
    throw new RangeError(
      `relativeAttention() head dimension is ${headDim}: expected a multiple of 4, at most ${MAX_HEAD_DIM}`,
    );
  }
  if (!bias) return;
  const { table: { rows, cols }, buckets } = bias;
  if (buckets.length % 2 === 0 || buckets.length < 3) {
    throw new RangeError(
      `relativeAttention() has buckets of ${buckets.length} distances: expected an odd number from 3 on`,
    );
  }
  if (rows % 4 !== 0 || cols !== heads) {
    throw new RangeError(
      `relativeAttention() bias table has shape (${rows}, ${cols}): expected a multiple of 4 buckets and ${heads} heads`,
    );
  }
}

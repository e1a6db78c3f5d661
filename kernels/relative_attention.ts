import { type AttentionShape, type KeyValues, MAX_HEAD_DIM } from "./attention.ts";
import type { Device } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "./tensor.ts";
import backwardCode from "./relative_attention_backward.wgsl" with { type: "text" };
import biasCode from "./relative_bias.wgsl" with { type: "text" };
import forwardCode from "./relative_attention.wgsl" with { type: "text" };
import headCode from "./head.wgsl" with { type: "text" };
import spanCode from "./relative_attention_span.wgsl" with { type: "text" };

/** Bias of relative positions (Shaw et al. 2018; Raffel et al. 2020, arXiv:1910.10683, section 2.1). */
export interface RelativeBias {
  /** Added to the scores (buckets, heads); a multiple of 4 buckets. */
  table: Matrix;
  /** Two signed numbers a bucket (2 buckets), as u32: see {@link bucketRanges}. They split all distances among them. */
  ranges: Flat;
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

// Kernels by head width, the same object at each call so that pipelines are cached.
function kernelsOf(headDim: number): Kernels {
  const known = made.get(headDim);
  if (known) return known;
  const constants = { GROUPS: headDim / 4, BLOCKS: Math.ceil(headDim / 16) };
  const common = { workgroup: [8, 1] as const, constants };
  const backward = {
    ...common,
    label: "kernels/relative_attention_backward.wgsl",
    code: headCode + spanCode + backwardCode,
    inputs: 5,
    flats: ["read", "read", "read"] as const,
  };
  const kernels: Kernels = {
    forward: {
      ...common,
      label: "kernels/relative_attention.wgsl",
      code: headCode + spanCode + forwardCode,
      entry: "relative_attention",
      inputs: 3,
      outputs: 2,
      flats: ["read", "read"],
    },
    dq: { ...backward, entry: "relative_attention_dq", outputs: 2 },
    dkv: { ...backward, entry: "relative_attention_dkv", outputs: 1 },
  };
  made.set(headDim, kernels);
  return kernels;
}

const CHUNK = 32; // as in relative_bias.wgsl
const bias = { label: "kernels/relative_bias.wgsl", code: biasCode };
const statsKernel: Kernel = {
  ...bias,
  entry: "attention_stats",
  inputs: 3,
  outputs: 1,
  flats: [],
  workgroup: [64, 1],
};
const chunksKernel: Kernel = {
  ...bias,
  entry: "bias_chunks",
  inputs: 1,
  outputs: 1,
  flats: [],
  workgroup: [16, 4],
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

/** `bucketOf` distances, rising or falling -> (first, last + 1) of each of `buckets`, (0, 0) where it has none. */
export function bucketRanges(
  buckets: number,
  farthest: number,
  bucketOf: (distance: number) => number,
): Int32Array<ArrayBuffer> {
  const ranges = new Int32Array(2 * buckets);
  for (let distance = -farthest; distance <= farthest; distance++) {
    // What lies farther away is in the bucket of the farthest.
    const first = distance === -farthest ? -FAR : distance;
    const end = distance === farthest ? FAR : distance + 1;
    const at = 2 * bucketOf(distance);
    if (ranges[at] === ranges[at + 1]) ranges[at] = first;
    else if (ranges[at + 1] !== first) {
      throw new RangeError(`Bucket ${at / 2} holds distance ${distance}, but not the one before it`);
    }
    ranges[at + 1] = end;
  }
  return ranges;
}

const FAR = 2 ** 30;

/**
 * Attention as in T5: scores are q . k without 1 / sqrt(headDim), plus the bias of the head and the distance, if there
 * is one. `intervals` (4 Tq) holds, a query, the keys [start, end) that it sees, the row that its own place has among
 * the keys, and 0. Queries may be columns of the matrix of the keys (self-attention) or not (cross-attention).
 * -> o (Tq, heads * headDim) and lse (Tq, 4 * heads), whose column 4h is the log-sum-exp of head h. A query that sees no
 * key gets zeros.
 */
export function relativeAttention(
  device: Device,
  queries: Queries,
  keys: KeyValues,
  intervals: Flat,
  shape: RelativeShape,
  bias?: RelativeBias,
): { o: Matrix; lse: Matrix } {
  checkShape(shape, bias);
  const { matrix, q } = queries;
  expectLength("relativeAttention() intervals", intervals, "u32", 4 * matrix.rows);
  const { heads, headDim } = shape;
  const o = device.matrix(matrix.rows, heads * headDim);
  const lse = device.matrix(matrix.rows, 4 * heads, "f32");
  device.run(kernelsOf(headDim).forward, {
    // Without a bias its operands are bound, but not read.
    inputs: [matrix, keys.matrix, bias?.table ?? matrix],
    outputs: [o, lse],
    flats: [intervals, bias?.ranges ?? intervals],
    u32: [matrix.rows, heads, q / 4, keys.k / 4, keys.v / 4, bias?.table.rows ?? 0],
    invocations: [matrix.rows, heads],
  });
  return { o, lse };
}

/** What the backward pass of {@link relativeAttention} needs beside its operands. */
export interface RelativeBackward {
  /** Gradient of o (Tq, heads * headDim). */
  dO: Matrix;
  /** What the forward pass returned. */
  saved: { o: Matrix; lse: Matrix };
  /** As in the forward pass; with a bias, the place of a query must be its own row. */
  intervals: Flat;
  /** The queries (start, end) that see each key (2 Tk): an interval, as they lie. */
  viewers: Flat;
  /** As in the forward pass. */
  bias?: RelativeBias;
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
  { dO, saved, intervals, viewers, bias, biasGradient }: RelativeBackward,
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
  const { dq, dkv } = kernelsOf(headDim);
  const common = {
    inputs: [matrix, keys.matrix, dO, stats, bias?.table ?? matrix],
    flats: [intervals, viewers, bias?.ranges ?? viewers],
  };
  const params = [heads, q / 4, keys.k / 4, keys.v / 4, buckets];
  device.run(dq, {
    ...common,
    outputs: [dQueries, terms],
    u32: [matrix.rows, ...params],
    invocations: [matrix.rows, heads],
  });
  device.run(dkv, {
    ...common,
    outputs: [dKeys],
    u32: [keys.matrix.rows, ...params],
    invocations: [keys.matrix.rows, heads],
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
  const chunks = Math.ceil(terms.rows / CHUNK);
  const partial = device.matrix(chunks, terms.cols, "f32");
  device.run(chunksKernel, {
    inputs: [terms],
    outputs: [partial],
    u32: [terms.rows, heads, groups, stride, buckets],
    invocations: [groups, chunks],
  });
  device.run(totalKernel, {
    inputs: [partial],
    flats: [gradient],
    u32: [chunks, heads, groups, stride, buckets],
    invocations: [groups, 1],
  });
  device.release(partial);
}

function checkShape({ heads, headDim }: RelativeShape, bias: RelativeBias | undefined): void {
  if (headDim % 4 !== 0 || headDim > MAX_HEAD_DIM) {
    throw new RangeError(
      `relativeAttention() head dimension is ${headDim}: expected a multiple of 4, at most ${MAX_HEAD_DIM}`,
    );
  }
  if (!bias) return;
  const { rows, cols } = bias.table;
  if (rows % 4 !== 0 || cols !== heads) {
    throw new RangeError(
      `relativeAttention() bias table has shape (${rows}, ${cols}): expected a multiple of 4 buckets and ${heads} heads`,
    );
  }
  expectLength("relativeAttention() ranges", bias.ranges, "u32", 2 * rows);
}

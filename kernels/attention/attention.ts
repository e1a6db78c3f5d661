import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../gpu/tensor.ts";

/** Widest head that the kernels keep in registers. */
export const MAX_HEAD_DIM = 128;

/** Heads of an attention layer. Queries are (T, heads * headDim), keys and values (T, kvHeads * headDim). */
export interface AttentionShape {
  /** Query heads. */
  heads: number;
  /** Grouped-query attention: `heads / kvHeads` query heads share a key-value head. */
  kvHeads: number;
  /** Multiple of 4, at most 128. */
  headDim: number;
}

/** Keys and values of one interval: a matrix and the first columns of its k and v parts. */
export interface KeyValues {
  matrix: Matrix;
  k: number;
  v: number;
}

/** Kernels of one variant for one head width. */
export interface AttentionKernels {
  /** Attended values (T, heads * headDim) and the log-sum-exp of the scores, which backward needs. */
  readonly forward: Kernel;
  /** Gradient of the queries (T, heads * headDim). */
  readonly dq: Kernel;
  /** Gradients of the keys and values (T, kvHeads * headDim). */
  readonly dkv: Kernel;
}

/** One way to compute packed tree attention; kernels by head dimension, which sizes registers and tiles. */
export interface AttentionVariant {
  /** Name for `--variant`. */
  readonly name: string;
  /** The same object at each call with the same width, so that pipelines are cached. */
  kernels(headDim: number): AttentionKernels;
  /** Invocations of the 2-D grid over `rows` queries (forward, dq) or keys (dkv) and their heads. */
  invocations(rows: number, heads: number): readonly [number, number];
}

/**
 * Packed tree attention. Query i sees the keys [s0, e0) of `first` and [s1, e1) of `second`, where `intervals` holds
 * (s0, e0, s1, e1) a query: with keys laid out as prompt, branch, branch... these two intervals are the mask
 * "same sequence, same branch or the prompt, not later" without a masked loop.
 *
 * q: matrix (Tq, ...) whose query heads start at column `qColumn` -> o (Tq, heads * headDim) and
 * lse (Tq, 4 * heads), whose column 4h is the log-sum-exp of head h. A query that sees no key gets zeros.
 */
export function attention(
  device: Device,
  q: Matrix,
  qColumn: number,
  first: KeyValues,
  second: KeyValues,
  intervals: Flat,
  shape: AttentionShape,
): { o: Matrix; lse: Matrix } {
  checkShape(shape);
  expectLength("attention() intervals", intervals, "u32", 4 * q.rows);
  const { heads, kvHeads, headDim } = shape;
  const o = device.matrix(q.rows, heads * headDim);
  const lse = device.matrix(q.rows, 4 * heads, "f32");
  const variant = device.variants.attention("forward", q.rows, shape);
  device.run(variant.kernels(headDim).forward, {
    inputs: [q, first.matrix, second.matrix],
    outputs: [o, lse],
    flats: [intervals],
    u32: [q.rows, heads, heads / kvHeads, qColumn, first.k, first.v, second.k, second.v].map(groupAfter(3)),
    f32: [1 / Math.sqrt(headDim)],
    invocations: variant.invocations(q.rows, heads),
  });
  return { o, lse };
}

/**
 * Backward of `attention` over one matrix qkv (T, (heads + 2 kvHeads) * headDim) in the order q | k | v.
 * `viewers` holds, a key, the interval (start, end) of the queries that see it. -> dQKV.
 */
export function attentionBackward(
  device: Device,
  qkv: Matrix,
  dO: Matrix,
  { o, lse }: { o: Matrix; lse: Matrix },
  intervals: Flat,
  viewers: Flat,
  shape: AttentionShape,
): Matrix {
  checkShape(shape);
  const { heads, kvHeads, headDim } = shape;
  expectShape("attentionBackward() qkv", qkv, dO.rows, (heads + 2 * kvHeads) * headDim);
  expectLength("attentionBackward() viewers", viewers, "u32", 2 * qkv.rows);
  const variant = device.variants.attention("backward", qkv.rows, shape);
  const { dq, dkv } = variant.kernels(headDim);
  const dQkv = device.matrix(qkv.rows, qkv.cols);
  const rowStats = device.matrix(qkv.rows, 4 * heads, "f32");
  const { q, k, v } = qkvColumns(shape);
  const common = {
    flats: [intervals, viewers],
    u32: [qkv.rows, heads, heads / kvHeads, q, k, v].map(groupAfter(3)),
    f32: [1 / Math.sqrt(headDim)],
  };
  device.run(dq, {
    ...common,
    inputs: [qkv, dO, o, lse],
    outputs: [dQkv, rowStats],
    invocations: variant.invocations(qkv.rows, heads),
  });
  device.run(dkv, {
    ...common,
    inputs: [qkv, dO, rowStats],
    outputs: [dQkv],
    invocations: variant.invocations(qkv.rows, kvHeads),
  });
  device.release(rowStats);
  return dQkv;
}

/** First columns of queries, keys and values in a fused matrix (T, q | k | v). */
export function qkvColumns({ heads, kvHeads, headDim }: AttentionShape): { q: number; k: number; v: number } {
  return { q: 0, k: heads * headDim, v: (heads + kvHeads) * headDim };
}

// Columns travel as groups of four; the first `plain` numbers are counts.
function groupAfter(plain: number) {
  return (value: number, i: number) => i < plain ? value : value / 4;
}

function checkShape({ heads, kvHeads, headDim }: AttentionShape): void {
  if (headDim % 4 !== 0 || headDim > MAX_HEAD_DIM) {
    throw new RangeError(
      `attention() head dimension is ${headDim}: expected a multiple of 4, at most ${MAX_HEAD_DIM}`,
    );
  }
  if (heads % kvHeads !== 0) {
    throw new RangeError(
      `attention() has ${heads} heads and ${kvHeads} key-value heads: expected a multiple`,
    );
  }
}

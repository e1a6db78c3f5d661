import type { Device } from "../gpu/device.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../gpu/tensor.ts";
import { bucket } from "../gpu/variants.ts";
import { noiseMatrix, type TunableOperation } from "../gpu/workload.ts";
import { pairsVariant, quadsVariant, rowsVariant } from "./registers.ts";
import {
  sharedAttentionVariant,
  sharedHalfAttentionVariant,
  subgroupsAttentionVariant,
} from "./shared/shared.ts";
import type { AttentionVariant } from "./variant.ts";

/** Widest head that the kernels keep in registers. */
export const MAX_HEAD_DIM = 128;

const WORKLOAD_SEQUENCE = 64; // keys that the last query of a sequence of the tuning workload sees

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

/** A pass over `rows` queries. */
export interface AttentionPass extends AttentionShape {
  /** What is computed: values, or gradients. */
  pass: "forward" | "backward";
  /** Queries, T. */
  rows: number;
}

/** Packed tree attention: pairs of rows in registers on CPU adapters, tiles in workgroup memory on GPUs. */
export const ATTENTION: TunableOperation<AttentionVariant, AttentionPass> = {
  name: "attention",
  variants: [
    rowsVariant,
    pairsVariant,
    quadsVariant,
    sharedAttentionVariant,
    subgroupsAttentionVariant,
    sharedHalfAttentionVariant,
  ],
  defaultOf: (isCpu) => isCpu ? pairsVariant : sharedAttentionVariant,
  classOf({ pass, rows, heads, kvHeads, headDim }) {
    const size = Number(pass === "backward") * 32 + bucket(rows);
    return ((size * 1024 + heads) * 1024 + kvHeads) * 256 + headDim;
  },
  className: ({ pass, rows, heads, kvHeads, headDim }) =>
    `${pass} ${2 ** bucket(rows)}x${heads}/${kvHeads}x${headDim}`,
  usualShapes: (["forward", "backward"] as const).map((pass) => (
    { pass, rows: 2048, heads: 4, kvHeads: 4, headDim: 32 }
  )),
  workload(device, shape) {
    const { pass, rows, heads, kvHeads, headDim } = shape;
    const { q, k, v } = qkvColumns(shape);
    const qkv = noiseMatrix(device, rows, (heads + 2 * kvHeads) * headDim);
    const dO = noiseMatrix(device, rows, heads * headDim);
    const keys = new Uint32Array(4 * rows); // causal sequences one after the other
    const seen = new Uint32Array(2 * rows);
    for (let i = 0; i < rows; i++) {
      const start = i - i % WORKLOAD_SEQUENCE;
      keys.set([start, i + 1, 0, 0], 4 * i);
      seen.set([i, Math.min(start + WORKLOAD_SEQUENCE, rows)], 2 * i);
    }
    const intervals = device.createFlat("u32", keys);
    const viewers = device.createFlat("u32", seen);
    const keyValues = { matrix: qkv, k, v };
    const forward = () => attention(device, qkv, q, keyValues, keyValues, intervals, shape);
    const saved = pass === "backward" ? forward() : undefined;
    return {
      call: () => saved ? attentionBackward(device, qkv, dO, saved, intervals, viewers, shape) : forward().o,
      flats: [intervals, viewers],
    };
  },
};

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
  const variant = variantFor(device, { heads, kvHeads, headDim, pass: "forward", rows: q.rows }, [
    q,
    first.matrix,
    second.matrix,
  ]);
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
  const variant = variantFor(device, { heads, kvHeads, headDim, pass: "backward", rows: qkv.rows }, [
    qkv,
    dO,
  ]);
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
    written: { start: q, count: k - q },
    invocations: variant.invocations(qkv.rows, heads),
  });
  device.run(dkv, {
    ...common,
    inputs: [qkv, dO, rowStats],
    outputs: [dQkv],
    written: { start: k, count: qkv.cols - k },
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

function variantFor(device: Device, pass: AttentionPass, multiplied: readonly Matrix[]): AttentionVariant {
  const variant = device.variants.of(ATTENTION, pass);
  return variant.wide && multiplied.some(({ dtype }) => dtype === "f32") ? variant.wide : variant;
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

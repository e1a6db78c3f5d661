import { scale } from "../../kernels/elementwise/add.ts";
import type { KeyValues } from "../../kernels/attention/attention.ts";
import { geglu, gegluBackward } from "../../kernels/gated/geglu.ts";
import {
  type AttentionDropout,
  type Queries,
  relativeAttention,
  relativeAttentionBackward,
  type RelativeShape,
} from "../../kernels/relative_attention/relative_attention.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import type { Weights } from "../parameters/parameters.ts";

/** Bias of distances: a parameter (buckets, heads), and the bucket of each distance. */
export interface BiasTable {
  /** Name of the parameter. */
  table: string;
  /** See `bucketsByDistance()`. */
  buckets: Flat;
}

/** Which keys queries see. */
export interface Visible {
  /** See `relativeAttention()`. */
  intervals: Flat;
  /** See `relativeAttentionBackward()`; needed in training alone. */
  viewers?: Flat;
}

/** Attention of T5: queries in one matrix, keys and values in the same or another -> (Tq, heads * headDim). */
export function biasedAttention(
  tape: Tape,
  weights: Weights,
  queries: Queries,
  keys: KeyValues,
  { intervals, viewers }: Visible,
  shape: RelativeShape,
  { bias: tables, dropout }: { bias?: BiasTable; dropout?: AttentionDropout },
): Matrix {
  const { device } = tape;
  const bias = tables && { table: weights.matrix(tables.table), buckets: tables.buckets };
  const saved = relativeAttention(device, queries, keys, intervals, shape, { bias, dropout });
  if (!tape.recording) {
    device.release(saved.lse);
    if (saved.biases) device.release(saved.biases);
  }
  tape.record(() => {
    const dO = tape.gradient(saved.o);
    if (!dO) return;
    if (!viewers) throw new Error("biasedAttention() needs viewers in training");
    const biasGradient = tables && weights.gradient(tables.table);
    const backward = { dO, saved, intervals, viewers, bias, dropout, biasGradient };
    const { dQueries, dKeys } = relativeAttentionBackward(device, queries, keys, backward, shape);
    tape.accumulate(queries.matrix, dQueries);
    if (dKeys !== dQueries) tape.accumulate(keys.matrix, dKeys);
  });
  return saved.o;
}

/** gelu(gate) * up, in the tanh form. gateUp (N, 2I) -> (N, I). */
export function geluGated(tape: Tape, gateUp: Matrix): Matrix {
  const { device } = tape;
  const y = geglu(device, gateUp);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(gateUp, gegluBackward(device, gateUp, dy));
  });
  return y;
}

/** x (N, C) * factor. */
export function scaled(tape: Tape, x: Matrix, factor: number): Matrix {
  const { device } = tape;
  const y = scale(device, x, factor);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(x, scale(device, dy, factor));
  });
  return y;
}

import { add } from "../../kernels/elementwise/add.ts";
import { addRmsNorm, addRmsNormBackward } from "../../kernels/norm/residual/add_rms.ts";
import {
  attention,
  attentionBackward,
  type AttentionShape,
  qkvColumns,
} from "../../kernels/attention/attention.ts";
import { columnSum } from "../../kernels/reduce/column_sum.ts";
import { dropout } from "../../kernels/random/dropout.ts";
import { embed, embedTokensBackward, type TokenOccurrences } from "../../kernels/rows/embedding.ts";
import { gatherRows } from "../../kernels/rows/gather.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { matmulInt8 } from "../../kernels/matmul/int8/rows.ts";
import { matmul, matmulAt, matmulBt, type MatmulOptions } from "../../kernels/matmul/matmul.ts";
import { qkNorm, qkNormBackward } from "../../kernels/norm/qk.ts";
import { rmsNorm, rmsNormBackward } from "../../kernels/norm/rms.ts";
import { rotary } from "../../kernels/elementwise/rotary.ts";
import { swiglu, swigluBackward, swigluPair, swigluPairBackward } from "../../kernels/gated/swiglu.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { type ActiveAdapter, addLowRank, lowRankBackward } from "../parameters/lora.ts";
import type { Weights } from "../parameters/parameters.ts";

// Every layer: forward kernel, then what its gradient does. Parameter gradients are added to (+=), so that
// accumulation over micro batches and tied weights need nothing of their own.

/**
 * y = x W^T + bias, and the product of `adapter` where there is one. x (N, in), weight (out, in) -> y (N, out).
 */
export function linear(
  tape: Tape,
  parameters: Weights,
  x: Matrix,
  weight: string,
  bias?: string,
  adapter?: ActiveAdapter,
): Matrix {
  const { device } = tape;
  const options = { bias: bias ? parameters.matrix(bias) : undefined };
  const product = productOf(device, parameters, x, weight, options);
  const adapted = adapter && addLowRank(tape, parameters, x, product, adapter);
  const y = adapted?.y ?? product;
  tape.record(() => {
    const dy = tape.gradient(y);
    if (!dy) return;
    const gradient = parameters.gradient(weight);
    if (gradient) matmulAt(device, dy, x, gradient, true);
    const biasGradient = bias && parameters.gradient(bias);
    if (biasGradient) columnSum(device, dy, biasGradient, true);
    const below = tape.wants(x) ? matmul(device, dy, parameters.matrix(weight)) : undefined;
    const dx = adapted ? lowRankBackward(tape, parameters, x, adapted.low, dy, below, adapter) : below;
    if (dx) tape.accumulate(x, dx);
  });
  return y;
}

/** x W^T and what follows it, of a weight as it lies on the device. */
function productOf(
  device: Device,
  parameters: Weights,
  x: Matrix,
  weight: string,
  options: MatmulOptions,
): Matrix {
  const coded = parameters.int8?.(weight);
  if (coded) return matmulInt8(device, x, coded, options);
  const transposed = parameters.transposed(weight);
  return transposed
    ? matmul(device, x, transposed, options)
    : matmulBt(device, x, parameters.matrix(weight), options);
}

/** Rows of the table (V, C) at `tokens` -> (T, C). `occurrences` lists the rows of each token, for the gradient. */
export function embedding(
  tape: Tape,
  parameters: Pick<Weights, "blocks">,
  table: string,
  tokens: Flat,
  occurrences: TokenOccurrences | undefined,
): Matrix {
  const { device } = tape;
  const blocks = parameters.blocks(table);
  const x = embed(device, blocks, tokens);
  if (blocks.every(({ gradient }) => !gradient)) tape.constant(x);
  tape.record(() => {
    const dx = tape.gradient(x);
    if (!dx) return;
    for (const block of blocks) {
      if (!block.gradient) continue;
      if (!occurrences) throw new Error("embedding() needs the occurrences of each token in training");
      embedTokensBackward(device, dx, occurrences, block.gradient, block);
    }
  });
  return x;
}

/** RMSNorm with gain `weight`. x (N, C) -> (N, C). */
export function norm(tape: Tape, parameters: Weights, x: Matrix, weight: string, eps: number): Matrix {
  const { device } = tape;
  const gain = parameters.matrix(weight);
  const y = rmsNorm(device, x, gain, eps);
  if (!tape.wants(x) && !parameters.gradient(weight)) tape.constant(y);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (!dy) return;
    tape.accumulate(x, rmsNormBackward(device, x, gain, dy, parameters.gradient(weight), eps));
  });
  return y;
}

/** QK-norm on qkv (T, q | k | v); `weight` (2, headDim) holds the gains of queries and keys. */
export function headNorm(
  tape: Tape,
  parameters: Weights,
  qkv: Matrix,
  weight: string,
  shape: AttentionShape,
  eps: number,
): Matrix {
  const { device } = tape;
  const gains = parameters.matrix(weight);
  const y = qkNorm(device, qkv, gains, shape, eps);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (!dy) return;
    tape.accumulate(qkv, qkNormBackward(device, qkv, gains, dy, parameters.gradient(weight), shape, eps));
  });
  return y;
}

/** What {@link drop} drops with. */
export interface LayerDropout {
  /** In [0, 1). */
  rate: number;
  /** u32 [seed, micro batch of the step, step, unused]; needed in training with a rate above 0. */
  seed: Flat | undefined;
  /** Tells the dropouts of one step apart. */
  stream: number;
}

/**
 * Residual connection and the norm after it: sum = x + y, normed = RMSNorm(sum). (N, C) each. With `dropped`, y is dropped
 * out first, as {@link drop} does: in the same pass, which draws the numbers once for both directions.
 */
export function residualNorm(
  tape: Tape,
  parameters: Weights,
  x: Matrix,
  y: Matrix,
  weight: string,
  eps: number,
  dropped?: LayerDropout,
): { sum: Matrix; normed: Matrix } {
  const { device } = tape;
  const gain = parameters.matrix(weight);
  const seed = seedOf(tape, dropped);
  const added = addRmsNorm(device, x, y, gain, eps, seed && { ...dropped!, seed });
  const { sum, normed, kept } = added;
  if (kept && !tape.recording) device.giveBack(kept.bits);
  tape.record(() => {
    const dNormed = tape.gradient(normed);
    if (!dNormed) throw new Error("residualNorm() result is not used by the loss");
    const dSum = tape.gradient(sum);
    const dGain = parameters.gradient(weight);
    const { dx, dy } = addRmsNormBackward(device, added, gain, dNormed, dSum, dGain, eps);
    if (kept) device.giveBack(kept.bits);
    tape.accumulate(x, dx);
    tape.accumulate(y, dy);
  });
  return { sum, normed };
}

/** x + y, (N, C). */
export function residual(tape: Tape, x: Matrix, y: Matrix): Matrix {
  const sum = add(tape.device, x, y);
  tape.record(() => {
    const gradient = tape.gradient(sum);
    if (!gradient) return;
    tape.accumulate(x, gradient);
    tape.accumulate(y, gradient);
  });
  return sum;
}

/** Inverted dropout, active in training only. */
export function drop(tape: Tape, x: Matrix, dropped: LayerDropout): Matrix {
  const seed = seedOf(tape, dropped);
  if (!seed) return x;
  const { rate, stream } = dropped;
  const { device } = tape;
  const y = dropout(device, x, seed, stream, rate);
  if (!tape.wants(x)) tape.constant(y);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(x, dropout(device, dy, seed, stream, rate));
  });
  return y;
}

/** The seed where something is dropped: nothing is outside of training, nor at a rate of 0. */
function seedOf(tape: Tape, dropped: LayerDropout | undefined): Flat | undefined {
  if (!tape.training || !dropped || dropped.rate === 0) return undefined;
  if (!dropped.seed) throw new Error("Dropout needs a seed in training");
  return dropped.seed;
}

/** SwiGLU: silu(gate) * up. gateUp (N, 2I) -> (N, I). */
export function gatedUnit(tape: Tape, gateUp: Matrix): Matrix {
  const { device } = tape;
  const y = swiglu(device, gateUp);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (dy) tape.accumulate(gateUp, swigluBackward(device, gateUp, dy));
  });
  return y;
}

/** The same of a gate and what it gates in matrices of their own, (N, I) each -> (N, I). */
export function gatedPair(tape: Tape, gate: Matrix, up: Matrix): Matrix {
  const { device } = tape;
  const y = swigluPair(device, gate, up);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (!dy) return;
    const below = swigluPairBackward(device, gate, up, dy);
    tape.accumulate(gate, below.gate);
    tape.accumulate(up, below.up);
  });
  return y;
}

/** Rotary positions on the query and key heads of qkv (T, q | k | v). */
export function rotate(
  tape: Tape,
  qkv: Matrix,
  positions: Flat,
  table: Matrix,
  shape: AttentionShape,
): Matrix {
  const { device } = tape;
  const rotated = rotary(device, qkv, positions, table, { ...shape, inverse: false });
  tape.record(() => {
    const gradient = tape.gradient(rotated);
    if (gradient) {
      tape.accumulate(qkv, rotary(device, gradient, positions, table, { ...shape, inverse: true }));
    }
  });
  return rotated;
}

/** Packed self-attention over qkv (T, q | k | v) -> (T, heads * headDim). See `kernels/attention/attention.ts`. */
export function selfAttention(
  tape: Tape,
  qkv: Matrix,
  intervals: Flat,
  viewers: Flat | undefined,
  shape: AttentionShape,
): Matrix {
  const { device } = tape;
  const { q, k, v } = qkvColumns(shape);
  const keyValues = { matrix: qkv, k, v };
  const saved = attention(device, qkv, q, keyValues, keyValues, intervals, shape);
  tape.record(() => {
    const dO = tape.gradient(saved.o);
    if (!dO) return;
    if (!viewers) throw new Error("selfAttention() needs viewers in training");
    tape.accumulate(qkv, attentionBackward(device, qkv, dO, saved, intervals, viewers, shape));
  });
  return saved.o;
}

/** Rows of x (T, C) at `index` (R) -> (R, C). `inverse` (T) is each row's place in the result, or 0xffffffff. */
export function selectRows(
  tape: Tape,
  x: Matrix,
  index: Flat,
  count: number,
  inverse: Flat | undefined,
): Matrix {
  const { device } = tape;
  const y = gatherRows(device, x, index, count);
  tape.record(() => {
    const dy = tape.gradient(y);
    if (!dy) return;
    if (!inverse) throw new Error("selectRows() needs the inverse index in training");
    tape.accumulate(x, gatherRows(device, dy, inverse, x.rows));
  });
  return y;
}

import { MAX_HEAD_DIM } from "../attention/attention.ts";
import { columnSum } from "../reduce/column_sum.ts";
import type { Device } from "../gpu/device.ts";
import type { PackedSequences } from "../sequence/gru.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import { headCode } from "../attention/registers.ts";
import attentionCode from "./pointwise_attention.wgsl" with { type: "text" };

interface Kernels {
  forward: Kernel;
  dq: Kernel;
  dkv: Kernel;
}

const made = new Map<number, Kernels>();

function kernelsOf(headDim: number): Kernels {
  const known = made.get(headDim);
  if (known) return known;
  const common = {
    label: "kernels/relative_attention/pointwise_attention.wgsl",
    code: headCode(headDim) + attentionCode,
    flats: ["read", "read"],
    workgroup: [8, 1],
    constants: { GROUPS: headDim / 4 },
  } as const;
  const kernels = {
    forward: { ...common, entry: "pointwise_attention", inputs: 2, outputs: 1 },
    dq: { ...common, entry: "pointwise_attention_dq", inputs: 3, outputs: 2 },
    dkv: { ...common, entry: "pointwise_attention_dkv", inputs: 3, outputs: 1 },
  };
  made.set(headDim, kernels);
  return kernels;
}

/**
 * Pointwise aggregated attention (Zhai et al. 2024, arXiv:2402.17152, eq. 2): o_i = scale * sum over j <= i of
 * silu(q_i . k_j + bias[i - j]) v_j, within packed sequences. qkv (T, q | k | v), C wide each, and bias (heads, lags)
 * -> o (T, C), 0 for unused rows. Heads are a multiple of 4 wide, at most {@link MAX_HEAD_DIM}; no position is `lags` or more.
 */
export function pointwiseAttention(
  device: Device,
  qkv: Matrix,
  bias: Matrix,
  sequences: PackedSequences,
  scale: number,
): Matrix {
  const headDim = qkv.cols / 3 / bias.rows;
  if (headDim % 4 !== 0 || headDim > MAX_HEAD_DIM) {
    throw new RangeError(
      `pointwiseAttention() head dimension is ${headDim}: expected a multiple of 4, at most ${MAX_HEAD_DIM}`,
    );
  }
  const o = device.matrix(qkv.rows, qkv.cols / 3);
  device.run(kernelsOf(headDim).forward, {
    inputs: [qkv, bias],
    outputs: [o],
    ...dispatchOf(qkv, bias, sequences, scale),
  });
  return o;
}

/** Gradient dO (T, C) of {@link pointwiseAttention} -> dQKV; that of the bias is added to `biasGradient`. */
export function pointwiseAttentionBackward(
  device: Device,
  qkv: Matrix,
  bias: Matrix,
  dO: Matrix,
  biasGradient: Flat,
  sequences: PackedSequences,
  scale: number,
): Matrix {
  expectShape("pointwiseAttentionBackward() dO", dO, qkv.rows, qkv.cols / 3);
  const { dq, dkv } = kernelsOf(qkv.cols / 3 / bias.rows);
  const dQkv = device.matrix(qkv.rows, qkv.cols);
  // As wide as the gradient, whose rows end in whole groups: its column sums are the gradient.
  const terms = device.matrix(qkv.rows, bias.rows * groupsOf(bias.cols) * 4, "f32");
  const common = { inputs: [qkv, dO, bias], ...dispatchOf(qkv, bias, sequences, scale) };
  device.run(dq, { ...common, outputs: [dQkv, terms] });
  device.run(dkv, { ...common, outputs: [dQkv] });
  columnSum(device, terms, biasGradient, true);
  device.release(terms);
  return dQkv;
}

function dispatchOf(qkv: Matrix, bias: Matrix, { positions, viewers }: PackedSequences, scale: number) {
  expectLength("pointwiseAttention() positions", positions, "u32", qkv.rows);
  expectLength("pointwiseAttention() viewers", viewers, "u32", 2 * qkv.rows);
  return {
    flats: [positions, viewers],
    u32: [qkv.rows, bias.rows, groupsOf(bias.cols)],
    f32: [scale],
    invocations: [qkv.rows, bias.rows] as const,
  };
}

import type { AttentionShape } from "../attention/attention.ts";
import { columnSum } from "../reduce/column_sum.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, type Flat, type Matrix } from "../gpu/tensor.ts";
import code from "./qk.wgsl" with { type: "text" };

const common = { label: "kernels/norm/qk.wgsl", code, flats: [], workgroup: [64, 1] as const };
const forwardKernel: Kernel = { ...common, entry: "qk_norm", inputs: 2, outputs: 1 };
const backwardKernel: Kernel = { ...common, entry: "qk_norm_backward", inputs: 3, outputs: 2 };

/**
 * QK-norm (Qwen3): RMSNorm of each query and key head. qkv (T, q | k | v), gains (2, headDim): row 0 for queries, row 1
 * for keys -> (T, q | k | v) with the values unchanged.
 */
export function qkNorm(
  device: Device,
  qkv: Matrix,
  gains: Matrix,
  shape: AttentionShape,
  eps: number,
): Matrix {
  const y = device.matrix(qkv.rows, qkv.cols);
  device.run(forwardKernel, { inputs: [qkv, gains], outputs: [y], ...dispatchOf(qkv, gains, shape, eps) });
  return y;
}

/** -> dQKV; the gradients of the gains are added to `gradient` (2, headDim), unless the gains are frozen. */
export function qkNormBackward(
  device: Device,
  qkv: Matrix,
  gains: Matrix,
  dy: Matrix,
  gradient: Flat | undefined,
  shape: AttentionShape,
  eps: number,
): Matrix {
  const dx = device.matrix(qkv.rows, qkv.cols);
  const gainTerms = device.matrix(qkv.rows, qkv.cols);
  device.run(backwardKernel, {
    inputs: [qkv, gains, dy],
    outputs: [dx, gainTerms],
    ...dispatchOf(qkv, gains, shape, eps),
  });
  const { heads, kvHeads, headDim } = shape;
  const keys = { start: heads * headDim, count: kvHeads * headDim };
  if (gradient) {
    const queries = { start: 0, count: keys.start };
    columnSum(device, gainTerms, gradient, true, { segments: heads, columns: queries });
    columnSum(device, gainTerms, gradient, true, { segments: kvHeads, columns: keys, outStart: headDim });
  }
  device.release(gainTerms);
  return dx;
}

function dispatchOf(qkv: Matrix, gains: Matrix, { heads, kvHeads, headDim }: AttentionShape, eps: number) {
  expectShape("qkNorm() gains", gains, 2, headDim);
  expectShape("qkNorm() qkv", qkv, qkv.rows, (heads + 2 * kvHeads) * headDim);
  return {
    u32: [qkv.rows, heads, kvHeads, headDim / 4],
    f32: [headDim, eps],
    invocations: [qkv.rows, heads + 2 * kvHeads] as const,
  };
}

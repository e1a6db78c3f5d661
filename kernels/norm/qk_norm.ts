import type { AttentionShape } from "../attention/attention.ts";
import { columnSum } from "../reduce/column_sum.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectShape, type Flat, type Matrix } from "../gpu/tensor.ts";
import code from "./qk_norm.wgsl" with { type: "text" };

const common = { label: "kernels/norm/qk_norm.wgsl", code, flats: [], workgroup: [64, 1] as const };
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

interface Attributes {
  shape: AttentionShape;
  eps: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "qkNorm",
  cases: () =>
    [{ heads: 1, kvHeads: 1, headDim: 4 }, { heads: 4, kvHeads: 2, headDim: 12 }].map((shape, i) => {
      const next = noise(i);
      const cols = (shape.heads + 2 * shape.kvHeads) * shape.headDim;
      return {
        name: `${shape.heads} heads of ${shape.headDim}`,
        inputs: {
          qkv: matrixOf(37, cols, (row) => row === 1 ? 0 : next()),
          gains: matrixOf(2, shape.headDim, next),
        },
        attributes: { shape, eps: 1e-3 },
      };
    }),
  reference: ({ qkv, gains }, { shape: { heads, kvHeads, headDim }, eps }) => {
    const y = qkv.data.slice();
    for (let row = 0; row < qkv.rows; row++) {
      for (let head = 0; head < heads + kvHeads; head++) {
        const start = row * qkv.cols + head * headDim;
        let squares = 0;
        for (let c = 0; c < headDim; c++) squares += qkv.data[start + c] ** 2;
        const rms = Math.sqrt(squares / headDim + eps);
        const gain = head < heads ? 0 : headDim;
        for (let c = 0; c < headDim; c++) y[start + c] = qkv.data[start + c] * gains.data[gain + c] / rms;
      }
    }
    return { y: { ...qkv, data: y } };
  },
  forward: (device, { qkv, gains }, { shape, eps }) => ({
    y: qkNorm(device, qkv as Matrix, gains as Matrix, shape, eps),
  }),
  backward: (device, { qkv, gains }, _outputs, { y }, { shape, eps }) => {
    const gradient = device.createFlat("f32", 2 * shape.headDim);
    const dQkv = qkNormBackward(device, qkv as Matrix, gains as Matrix, y as Matrix, gradient, shape, eps);
    return { qkv: dQkv, gains: gradient };
  },
};

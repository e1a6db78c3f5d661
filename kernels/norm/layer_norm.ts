import { columnSum } from "../reduce/column_sum.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./layer_norm.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/norm/layer_norm.wgsl",
  code,
  entry: "layer_norm",
  inputs: 3,
  outputs: 1,
  flats: [],
  workgroup: [64],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "layer_norm_backward", outputs: 2 };

/** LayerNorm (arXiv:1607.06450). x (N, C), gain (1, C), bias (1, C) -> y (N, C). */
export function layerNorm(device: Device, x: Matrix, gain: Matrix, bias: Matrix, eps: number): Matrix {
  expectShape("layerNorm() bias", bias, 1, x.cols);
  const y = device.matrix(x.rows, x.cols);
  device.run(forwardKernel, { inputs: [x, gain, bias], outputs: [y], ...dispatchOf(x, gain, eps) });
  return y;
}

/**
 * x (N, C), gain (1, C), dy (N, C) -> dx (N, C) and gainTerms (N, C), whose `columnSum` is the gain's gradient. That of
 * the bias is the `columnSum` of dy.
 */
export function layerNormBackward(
  device: Device,
  x: Matrix,
  gain: Matrix,
  dy: Matrix,
  eps: number,
): { dx: Matrix; gainTerms: Matrix } {
  expectShape("layerNormBackward() dy", dy, x.rows, x.cols);
  const dx = device.matrix(x.rows, x.cols);
  const gainTerms = device.matrix(x.rows, x.cols);
  device.run(backwardKernel, {
    inputs: [x, gain, dy],
    outputs: [dx, gainTerms],
    ...dispatchOf(x, gain, eps),
  });
  return { dx, gainTerms };
}

function dispatchOf(x: Matrix, gain: Matrix, eps: number) {
  expectShape("layerNorm() gain", gain, 1, x.cols);
  return { u32: [x.rows, groupsOf(x.cols)], f32: [x.cols, eps], invocations: [x.rows, 1] as const };
}

export const spec: KernelSpec<{ eps: number }> = {
  name: "layerNorm",
  cases: () =>
    [[5, 12], [3, 7], [70, 33], [2, 1]].map(([rows, cols]) => {
      const next = noise(rows * cols);
      return {
        name: `(${rows}, ${cols})`,
        inputs: {
          // The second row is constant: eps alone must keep it finite. The first is far from 0.
          x: matrixOf(rows, cols, (row) => row === 1 ? 3 : row === 0 ? 20 + next() : next()),
          gain: matrixOf(1, cols, next),
          bias: matrixOf(1, cols, next),
        },
        attributes: { eps: 1e-2 },
      };
    }),
  reference: ({ x, gain, bias }, { eps }) => {
    const y = new Float64Array(x.data.length);
    for (let start = 0; start < y.length; start += x.cols) {
      let mean = 0;
      for (let c = 0; c < x.cols; c++) mean += x.data[start + c] / x.cols;
      let variance = 0;
      for (let c = 0; c < x.cols; c++) variance += (x.data[start + c] - mean) ** 2 / x.cols;
      for (let c = 0; c < x.cols; c++) {
        y[start + c] = (x.data[start + c] - mean) / Math.sqrt(variance + eps) * gain.data[c] + bias.data[c];
      }
    }
    return { y: { ...x, data: y } };
  },
  forward: (device, inputs, { eps }) => {
    const { x, gain, bias } = inputs as Record<string, Matrix>;
    return { y: layerNorm(device, x, gain, bias, eps) };
  },
  backward: (device, inputs, _outputs, gradients, { eps }) => {
    const { x, gain } = inputs as Record<string, Matrix>;
    const dy = gradients.y as Matrix;
    const { dx, gainTerms } = layerNormBackward(device, x, gain, dy, eps);
    const [dGain, dBias] = [gainTerms, dy].map((terms) => {
      const sums = device.createFlat("f32", groupsOf(x.cols) * 4);
      columnSum(device, terms, sums, false);
      return sums;
    });
    return { x: dx, gain: dGain, bias: dBias };
  },
};

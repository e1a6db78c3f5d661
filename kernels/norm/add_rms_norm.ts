import { columnSum } from "../reduce/column_sum.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./add_rms_norm.wgsl" with { type: "text" };

const label = "kernels/norm/add_rms_norm.wgsl";
const forwardKernel: Kernel = {
  label,
  code,
  entry: "add_rms_norm",
  inputs: 3,
  outputs: 2,
  flats: [],
  workgroup: [64],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "add_rms_norm_backward", inputs: 4 };

/**
 * x (N, C), y (N, C), gain (1, C) -> sum = x + y (N, C), normed = RMSNorm(sum) * gain (N, C). The sum is float32 on every
 * device: a residual stream adds up all layers, which float16 has neither the digits nor, for some channels, the range for.
 */
export function addRmsNorm(
  device: Device,
  x: Matrix,
  y: Matrix,
  gain: Matrix,
  eps: number,
): { sum: Matrix; normed: Matrix } {
  expectShape("addRmsNorm() y", y, x.rows, x.cols);
  expectShape("addRmsNorm() gain", gain, 1, x.cols);
  const sum = device.matrix(x.rows, x.cols, "f32");
  const normed = device.matrix(x.rows, x.cols);
  device.run(forwardKernel, {
    inputs: [x, y, gain],
    outputs: [sum, normed],
    u32: [x.rows, groupsOf(x.cols), 0],
    f32: [x.cols, eps],
    invocations: [x.rows, 1],
  });
  return { sum, normed };
}

/**
 * sum (N, C), gain (1, C), dNormed (N, C), dSum (N, C) or undefined for 0 -> dx (N, C), which is the gradient of both
 * summands, and gainTerms (N, C), whose column sums are the gain's gradient.
 */
export function addRmsNormBackward(
  device: Device,
  sum: Matrix,
  gain: Matrix,
  dNormed: Matrix,
  dSum: Matrix | undefined,
  eps: number,
): { dx: Matrix; gainTerms: Matrix } {
  expectShape("addRmsNormBackward() gain", gain, 1, sum.cols);
  expectShape("addRmsNormBackward() dNormed", dNormed, sum.rows, sum.cols);
  if (dSum) expectShape("addRmsNormBackward() dSum", dSum, sum.rows, sum.cols);
  const dx = device.matrix(sum.rows, sum.cols);
  const gainTerms = device.matrix(sum.rows, sum.cols);
  device.run(backwardKernel, {
    inputs: [sum, gain, dNormed, dSum ?? dNormed], // without dSum the fourth operand is bound but not read
    outputs: [dx, gainTerms],
    u32: [sum.rows, groupsOf(sum.cols), Number(!!dSum)],
    f32: [sum.cols, eps],
    invocations: [sum.rows, 1],
  });
  return { dx, gainTerms };
}

interface Attributes {
  eps: number;
  /** Whether the sum itself is used: without, dSum is absent. */
  residual: boolean;
}

export const spec: KernelSpec<Attributes> = {
  name: "addRmsNorm",
  cases: () =>
    [[1, 4], [5, 7], [70, 33], [3, 64]].map(([rows, cols], i) => {
      const next = noise(rows * cols);
      return {
        name: `(${rows}, ${cols})`,
        inputs: {
          // The second row is empty: eps alone must keep it finite.
          x: matrixOf(rows, cols, (row) => row === 1 ? 0 : next()),
          y: matrixOf(rows, cols, (row) => row === 1 ? 0 : next()),
          gain: matrixOf(1, cols, next),
        },
        attributes: { eps: 1e-3, residual: i % 2 === 1 },
      };
    }),
  reference: ({ x, y, gain }, { eps, residual }) => {
    const sum = x.data.map((value, i) => value + y.data[i]);
    const normed = new Float64Array(sum.length);
    for (let start = 0; start < sum.length; start += x.cols) {
      let squares = 0;
      for (let c = 0; c < x.cols; c++) squares += sum[start + c] ** 2;
      const rms = Math.sqrt(squares / x.cols + eps);
      for (let c = 0; c < x.cols; c++) normed[start + c] = sum[start + c] * gain.data[c] / rms;
    }
    return { ...(residual ? { sum: { ...x, data: sum } } : {}), normed: { ...x, data: normed } };
  },
  forward: (device, inputs, { eps }) => {
    const { x, y, gain } = inputs as Record<string, Matrix>;
    return addRmsNorm(device, x, y, gain, eps);
  },
  backward: (device, inputs, outputs, gradients, { eps }) => {
    const gain = inputs.gain as Matrix;
    const { dx, gainTerms } = addRmsNormBackward(
      device,
      outputs.sum as Matrix,
      gain,
      gradients.normed as Matrix,
      gradients.sum as Matrix | undefined,
      eps,
    );
    const dGain = device.createFlat("f32", groupsOf(gain.cols) * 4);
    columnSum(device, gainTerms, dGain, false);
    return { x: dx, y: dx, gain: dGain };
  },
};

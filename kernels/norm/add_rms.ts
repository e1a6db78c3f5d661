import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./add_rms.wgsl" with { type: "text" };

const label = "kernels/norm/add_rms.wgsl";
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

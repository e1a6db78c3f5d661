import { columnSum } from "../reduce/column_sum.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./vertical_convolution.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/sequence/vertical_convolution.wgsl",
  code,
  entry: "vertical_convolution",
  inputs: 2,
  outputs: 1,
  flats: ["read"],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "vertical_convolution_backward" };
const termsKernel: Kernel = { ...forwardKernel, entry: "vertical_convolution_terms" };

/**
 * Vertical filters of Caser (Tang and Wang 2018, arXiv:1809.07426): weighted sums of the latest `count` rows
 * of packed sequences. x (T, C), C a multiple of 4, weight (filters, count), oldest row first, and the position of each
 * row in its sequence u32 (T) -> (T, filters * C). What would lie before the start counts as 0.
 */
export function verticalConvolution(device: Device, x: Matrix, weight: Matrix, positions: Flat): Matrix {
  if (x.cols % 4 !== 0) {
    throw new RangeError(
      `verticalConvolution() of rows of ${x.cols}: expected a width that is a multiple of 4`,
    );
  }
  const y = device.matrix(x.rows, weight.rows * x.cols);
  device.run(forwardKernel, {
    inputs: [x, weight],
    outputs: [y],
    ...operandsOf(x, weight, positions),
    invocations: [groupsOf(y.cols), y.rows],
  });
  return y;
}

/** Gradient dy (T, filters * C) of {@link verticalConvolution} -> dx; that of the weight is added to `weightGradient`. */
export function verticalConvolutionBackward(
  device: Device,
  x: Matrix,
  weight: Matrix,
  dy: Matrix,
  weightGradient: Flat,
  positions: Flat,
): Matrix {
  expectShape("verticalConvolutionBackward() dy", dy, x.rows, weight.rows * x.cols);
  const dx = device.matrix(x.rows, x.cols);
  // As wide as the gradient, whose rows end in whole groups: its column sums are the gradient.
  const terms = device.matrix(x.rows, weight.rows * groupsOf(weight.cols) * 4, "f32");
  const operands = operandsOf(x, weight, positions);
  device.run(backwardKernel, {
    inputs: [dy, weight],
    outputs: [dx],
    ...operands,
    invocations: [groupsOf(x.cols), x.rows],
  });
  device.run(termsKernel, {
    inputs: [dy, x],
    outputs: [terms],
    ...operands,
    invocations: [groupsOf(terms.cols), x.rows],
  });
  columnSum(device, terms, weightGradient, true);
  device.release(terms);
  return dx;
}

function operandsOf(x: Matrix, weight: Matrix, positions: Flat) {
  expectLength("verticalConvolution() positions", positions, "u32", x.rows);
  return {
    flats: [positions],
    u32: [x.rows, groupsOf(x.cols), weight.cols, weight.rows, groupsOf(weight.cols)],
  };
}

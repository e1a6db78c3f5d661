import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./append_one.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/rows/append_one.wgsl",
  code,
  entry: "append_one",
  inputs: 1,
  outputs: 1,
  flats: [],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "append_one_backward" };

/** x (N, C) -> (N, C + 1) whose last column is 1: products with a matrix (V, C + 1) have its last column as bias. */
export function appendOne(device: Device, x: Matrix): Matrix {
  return run(device, forwardKernel, x, x.cols + 1, x.cols);
}

/** Gradient dy (N, C + 1) of {@link appendOne} -> dx (N, C). */
export function appendOneBackward(device: Device, dy: Matrix): Matrix {
  return run(device, backwardKernel, dy, dy.cols - 1, dy.cols - 1);
}

/** `cols` of x without the ones. */
function run(device: Device, kernel: Kernel, input: Matrix, outputCols: number, cols: number): Matrix {
  const output = device.matrix(input.rows, outputCols);
  const groups = groupsOf(outputCols);
  device.run(kernel, {
    inputs: [input],
    outputs: [output],
    u32: [input.rows, groups, cols],
    invocations: [groups, input.rows],
  });
  return output;
}

import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./squared_norms.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/reduce/squared_norms.wgsl",
  code,
  entry: "squared_norms",
  inputs: 1,
  outputs: 1,
  flats: [],
  workgroup: [16],
};
const backwardKernel: Kernel = {
  ...forwardKernel,
  entry: "squared_norms_backward",
  outputs: 0,
  flats: ["read", "read_write"],
  workgroup: [16, 8],
};

/** x (N, C) -> `factor` |x|^2 of each row (1, N): the bias that makes products with the rows distances from them. */
export function squaredNorms(device: Device, x: Matrix, factor: number): Matrix {
  const norms = device.matrix(1, x.rows);
  device.run(forwardKernel, {
    inputs: [x],
    outputs: [norms],
    u32: [x.rows, groupsOf(x.cols)],
    f32: [factor],
    invocations: [Math.ceil(x.rows / 4)],
  });
  return norms;
}

/**
 * Adds to the gradient of x what {@link squaredNorms} makes of it. x (N, C), slopes f32 (N) the gradient of its result
 * -> gradient f32 (N, C), rows of whole groups of four.
 */
export function squaredNormsBackward(
  device: Device,
  x: Matrix,
  slopes: Flat,
  factor: number,
  gradient: Flat,
): void {
  const groups = groupsOf(x.cols);
  expectLength("squaredNormsBackward() slopes", slopes, "f32", x.rows);
  expectLength("squaredNormsBackward() gradient", gradient, "f32", x.rows * groups * 4);
  device.run(backwardKernel, {
    inputs: [x],
    flats: [slopes, gradient],
    u32: [x.rows, groups],
    f32: [factor],
    invocations: [groups, x.rows],
  });
}

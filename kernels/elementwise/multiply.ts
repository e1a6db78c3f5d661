import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./multiply.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/elementwise/multiply.wgsl",
  code,
  entry: "multiply",
  inputs: 2,
  outputs: 1,
  staged: true,
  flats: [],
  workgroup: [16, 8],
};

/** x (N, C) times y (N, C), elementwise -> (N, C). Its gradients are the products of dy with the other operand. */
export function multiply(device: Device, x: Matrix, y: Matrix): Matrix {
  expectShape("multiply() y", y, x.rows, x.cols);
  const out = device.matrix(x.rows, x.cols);
  const groups = groupsOf(x.cols);
  device.run(kernel, {
    inputs: [x, y],
    outputs: [out],
    u32: [x.rows, groups],
    invocations: [groups, x.rows],
  });
  return out;
}

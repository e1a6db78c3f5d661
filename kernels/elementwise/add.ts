import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./add.wgsl" with { type: "text" };

const label = "kernels/elementwise/add.wgsl";
const addKernel: Kernel = {
  label,
  code,
  entry: "add",
  inputs: 2,
  outputs: 1,
  staged: true,
  flats: [],
  workgroup: [16, 8],
};
const scaleKernel: Kernel = { ...addKernel, entry: "scale", inputs: 1 };

/** x (N, C) + y (N, C) -> (N, C), float32 where either is. */
export function add(device: Device, x: Matrix, y: Matrix): Matrix {
  expectShape("add() y", y, x.rows, x.cols);
  return elementwise(device, addKernel, [x, y], 1);
}

/** x (N, C) * factor -> (N, C). `factor` is a setting: it must not change from step to step. */
export function scale(device: Device, x: Matrix, factor: number): Matrix {
  return elementwise(device, scaleKernel, [x], factor);
}

function elementwise(device: Device, kernel: Kernel, inputs: Matrix[], factor: number): Matrix {
  const { rows, cols } = inputs[0];
  const wide = inputs.some(({ dtype }) => dtype === "f32");
  const out = device.matrix(rows, cols, wide ? "f32" : device.dtype);
  const groups = groupsOf(cols);
  device.run(kernel, {
    inputs,
    outputs: [out],
    u32: [rows, groups],
    f32: [factor],
    invocations: [groups, rows],
  });
  return out;
}

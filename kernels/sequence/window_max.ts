import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./window_max.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/sequence/window_max.wgsl",
  code,
  entry: "window_max",
  inputs: 1,
  outputs: 2,
  flats: ["read"],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "window_max_backward", inputs: 2, outputs: 1 };

/**
 * Max pooling over time: x (T, C) and the position of each row in its sequence u32 (T) -> y (T, C), the largest of a row
 * and the `count` - 1 rows before it, as far as its sequence has them; and `places` (T, C), which backward needs.
 */
export function windowMax(
  device: Device,
  x: Matrix,
  positions: Flat,
  count: number,
): { y: Matrix; places: Matrix } {
  const y = device.matrix(x.rows, x.cols);
  const places = device.matrix(x.rows, x.cols, "f32");
  device.run(forwardKernel, { inputs: [x], outputs: [y, places], ...dispatchOf(x, positions, count) });
  return { y, places };
}

/** Gradient dy (T, C) of {@link windowMax} -> dx (T, C); of equal values the latest gets it. */
export function windowMaxBackward(
  device: Device,
  places: Matrix,
  dy: Matrix,
  positions: Flat,
  count: number,
): Matrix {
  expectShape("windowMaxBackward() dy", dy, places.rows, places.cols);
  const dx = device.matrix(dy.rows, dy.cols);
  device.run(backwardKernel, {
    inputs: [places, dy],
    outputs: [dx],
    ...dispatchOf(dy, positions, count),
  });
  return dx;
}

function dispatchOf({ rows, cols }: Matrix, positions: Flat, count: number) {
  expectLength("windowMax() positions", positions, "u32", rows);
  const groups = groupsOf(cols);
  return { flats: [positions], u32: [rows, groups, count], invocations: [groups, rows] as const };
}

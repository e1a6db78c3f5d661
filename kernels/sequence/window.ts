import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./window.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/sequence/window.wgsl",
  code,
  entry: "window",
  inputs: 1,
  outputs: 1,
  flats: ["read"],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "window_backward" };

/** Which rows of a sequence a window takes: those `nearest` to `nearest + count - 1` before its own. */
export interface WindowShape {
  /** Rows of a window, at least 1. */
  count: number;
  /** How far back the latest of them lies; 0 is the row itself. */
  nearest: number;
}

/**
 * Windows over packed sequences: x (T, C), C a multiple of 4, and the position of each row in its sequence u32 (T)
 * -> (T, count * C), oldest row first, 0 for what would lie before the start. A convolution over time is this and a
 * matrix product.
 */
export function windowRows(device: Device, x: Matrix, positions: Flat, shape: WindowShape): Matrix {
  checkWidth(x.cols);
  const y = device.matrix(x.rows, shape.count * x.cols);
  const groups = groupsOf(x.cols);
  device.run(forwardKernel, {
    inputs: [x],
    outputs: [y],
    ...operandsOf(x.rows, x.cols, positions, shape),
    invocations: [shape.count * groups, x.rows],
  });
  return y;
}

/** Gradient dy (T, count * C) of {@link windowRows} -> dx (T, C). */
export function windowRowsBackward(device: Device, dy: Matrix, positions: Flat, shape: WindowShape): Matrix {
  const width = dy.cols / shape.count;
  checkWidth(width);
  expectShape("windowRowsBackward() dy", dy, dy.rows, shape.count * width);
  const dx = device.matrix(dy.rows, width);
  device.run(backwardKernel, {
    inputs: [dy],
    outputs: [dx],
    ...operandsOf(dy.rows, width, positions, shape),
    invocations: [groupsOf(width), dy.rows],
  });
  return dx;
}

function operandsOf(rows: number, width: number, positions: Flat, { count, nearest }: WindowShape) {
  expectLength("windowRows() positions", positions, "u32", rows);
  return { flats: [positions], u32: [rows, groupsOf(width), count, nearest] };
}

function checkWidth(width: number): void {
  if (width % 4 !== 0) {
    throw new RangeError(`windowRows() of rows of ${width}: expected a width that is a multiple of 4`);
  }
}

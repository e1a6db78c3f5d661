import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./interval_mean.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/relative_attention/interval_mean.wgsl",
  code,
  entry: "interval_mean",
  inputs: 1,
  outputs: 1,
  flats: ["read", "read"],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = {
  ...forwardKernel,
  entry: "interval_mean_backward",
  flats: ["read", "read", "read"],
};

/** Intervals of rows as `relativeAttention()` has them. */
export interface MeanIntervals {
  /** Queries whose means are taken, u32 (R); 0xffffffff is none and gives 0. */
  queries: Flat;
  /** Place of each query among them, u32 (Q), or 0xffffffff. */
  places: Flat;
  /** Rows [start, end) that a query sees, and two numbers more, u32 (4 Q). Those of different queries may overlap. */
  intervals: Flat;
  /** Queries [first, end) that see each row, u32 (2 T). */
  viewers: Flat;
}

/** Mean of the rows that each query sees. x (T, C) -> y (R, C); 0 for a query that sees none. */
export function intervalMean(device: Device, x: Matrix, { queries, intervals }: MeanIntervals): Matrix {
  const groups = groupsOf(x.cols);
  const rows = queries.length;
  const y = device.matrix(rows, x.cols);
  device.run(forwardKernel, {
    inputs: [x],
    outputs: [y],
    flats: [queries, intervals],
    u32: [rows, groups],
    invocations: [groups, rows],
  });
  return y;
}

/** Gradient of x (T, C) in {@link intervalMean} from dy (R, C). */
export function intervalMeanBackward(
  device: Device,
  dy: Matrix,
  { places, intervals, viewers }: MeanIntervals,
  rows: number,
): Matrix {
  expectLength("intervalMeanBackward() viewers", viewers, "u32", 2 * rows);
  expectLength("intervalMeanBackward() intervals", intervals, "u32", 4 * places.length);
  const groups = groupsOf(dy.cols);
  const dx = device.matrix(rows, dy.cols);
  device.run(backwardKernel, {
    inputs: [dy],
    outputs: [dx],
    flats: [places, intervals, viewers],
    u32: [rows, groups],
    invocations: [groups, rows],
  });
  return dx;
}

import type { Device } from "../gpu/device.ts";
import type { Dispatch, Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./sinkhorn.wgsl" with { type: "text" };

const shared = {
  label: "kernels/clustering/sinkhorn.wgsl",
  code,
  inputs: 1,
  outputs: 0,
  flats: ["read_write", "read_write", "read_write", "read_write", "read_write"],
  workgroup: [8],
} as const;
const distancesKernel: Kernel = {
  ...shared,
  entry: "sinkhorn_distances",
  inputs: 2,
  outputs: 1,
  workgroup: [8, 8],
};
const extremesKernel: Kernel = { ...shared, entry: "sinkhorn_extremes", workgroup: [64] };
const rowsKernel: Kernel = { ...shared, entry: "sinkhorn_rows" };
const colsKernel: Kernel = { ...shared, entry: "sinkhorn_cols" };
const labelsKernel: Kernel = { ...shared, entry: "sinkhorn_labels" };

/** Scratch of {@link sinkhornLabels}, f32. */
export interface SinkhornScratch {
  /** (2). */
  extremes: Flat;
  /** At least (N). */
  rows: Flat;
  /** At least (K). */
  cols: Flat;
}

/**
 * Codewords by entropic optimal transport (Cuturi 2013) between points of equal mass and codewords of equal mass, so
 * that a batch spreads over the codebook: squared distances are centred and scaled to [-1, 1] together, and rows and
 * columns of exp(-D / epsilon) are normalised in turns, columns last. Computed in the logarithm (Peyré and Cuturi 2019,
 * section 4.4). points (N, D), codebook (K, D) -> labels u32 (N), squared distances f32 (N).
 */
export function sinkhornLabels(
  device: Device,
  points: Matrix,
  codebook: Matrix,
  labels: Flat,
  distances: Flat,
  scratch: SinkhornScratch,
  { epsilon, iterations }: { epsilon: number; iterations: number },
): void {
  const { rows } = points;
  const cols = codebook.rows;
  expectShape("sinkhornLabels() codebook", codebook, cols, points.cols);
  expectLength("sinkhornLabels() labels", labels, "u32", rows);
  expectLength("sinkhornLabels() distances", distances, "f32", rows);
  expectLength("sinkhornLabels() extremes", scratch.extremes, "f32", 2);
  expectLength("sinkhornLabels() row scratch", scratch.rows, "f32", rows);
  expectLength("sinkhornLabels() column scratch", scratch.cols, "f32", cols);
  const all = device.matrix(rows, cols, "f32");
  const operands = {
    flats: [scratch.extremes, scratch.rows, scratch.cols, labels, distances],
    u32: [rows, cols, groupsOf(points.cols)],
    f32: [epsilon],
  };
  const over = (kernel: Kernel, invocations: Dispatch["invocations"]) =>
    device.run(kernel, { ...operands, inputs: [all], invocations });
  device.run(distancesKernel, {
    ...operands,
    inputs: [points, codebook],
    outputs: [all],
    invocations: [groupsOf(cols), rows],
  });
  over(extremesKernel, [64]);
  for (let iteration = 0; iteration < iterations; iteration++) {
    over(rowsKernel, [rows]);
    over(colsKernel, [groupsOf(cols)]);
  }
  over(labelsKernel, [rows]);
  device.release(all);
}

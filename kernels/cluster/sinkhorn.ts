import type { Device } from "../gpu/device.ts";
import type { Dispatch, Kernel } from "../gpu/kernel.ts";
import { flatOf, type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./sinkhorn.wgsl" with { type: "text" };

const shared = {
  label: "kernels/cluster/sinkhorn.wgsl",
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

interface Attributes {
  epsilon: number;
  iterations: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "sinkhornLabels",
  cases: () =>
    [[1, 3, 2, 0.1], [30, 7, 5, 0.003], [40, 16, 9, 0.01], [5, 33, 4, 0.05]].map(
      ([rows, cols, dim, epsilon]) => {
        const next = noise(rows + cols);
        return {
          name: `N ${rows}, K ${cols}, epsilon ${epsilon}`,
          inputs: { points: matrixOf(rows, dim, next), codebook: matrixOf(cols, dim, next) },
          attributes: { epsilon, iterations: 50 },
        };
      },
    ),
  reference: ({ points, codebook }, { epsilon, iterations }) => {
    const [rows, cols] = [points.rows, codebook.rows];
    const distances = Array.from({ length: rows }, (_, i) =>
      Array.from({ length: cols }, (_, j) => {
        let sum = 0;
        for (let d = 0; d < points.cols; d++) {
          sum += (points.data[i * points.cols + d] - codebook.data[j * points.cols + d]) ** 2;
        }
        return sum;
      }));
    const [least, most] = [Math.min(...distances.flat()), Math.max(...distances.flat())];
    const middle = (least + most) / 2;
    const plan = distances.map((row) =>
      row.map((distance) => Math.exp(-(distance - middle) / (most - middle + 1e-5) / epsilon))
    );
    for (let iteration = 0; iteration < iterations; iteration++) {
      for (const row of plan) {
        const sum = row.reduce((a, b) => a + b);
        row.forEach((mass, j) => row[j] = mass / sum / rows);
      }
      for (let j = 0; j < cols; j++) {
        const sum = plan.reduce((total, row) => total + row[j], 0);
        for (const row of plan) row[j] /= sum * cols;
      }
    }
    const labels = plan.map((row) => row.indexOf(Math.max(...row)));
    return {
      labels: flatOf("u32", labels),
      distances: flatOf("f32", labels.map((label, i) => distances[i][label])),
    };
  },
  forward: (device, inputs, attributes) => {
    const { points, codebook } = inputs as Record<string, Matrix>;
    const f32 = (length: number) => device.createFlat("f32", length);
    const labels = device.createFlat("u32", points.rows);
    const distances = f32(points.rows);
    const scratch = { extremes: f32(2), rows: f32(points.rows), cols: f32(codebook.rows) };
    sinkhornLabels(device, points, codebook, labels, distances, scratch, attributes);
    return { labels, distances };
  },
};

import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { flatOf, type KernelSpec, matrixOf, noise, type Values } from "../gpu/spec.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./uniqueness_loss.wgsl" with { type: "text" };

const shared = { label: "kernels/loss/uniqueness_loss.wgsl", code } as const;
const pathKernel: Kernel = {
  ...shared,
  entry: "extend_paths",
  inputs: 0,
  outputs: 0,
  flats: ["read", "read", "read_write"],
  workgroup: [8],
};
const lossKernel: Kernel = {
  ...shared,
  entry: "uniqueness_loss",
  inputs: 1,
  outputs: 0,
  flats: ["read", "read", "read", "read_write"],
  workgroup: [8],
};
const backwardKernel: Kernel = {
  ...shared,
  entry: "uniqueness_loss_backward",
  inputs: 1,
  outputs: 1,
  flats: ["read", "read", "read"],
  workgroup: [16, 8],
};

/**
 * Names code paths by the first row that has them: two rows get the same number where their prefixes and labels are
 * both the same. The first `rows` of prefixes u32 and labels u32 -> paths u32 (rows). Work grows with the square of rows.
 */
export function extendPaths(device: Device, prefixes: Flat, labels: Flat, rows: number, paths: Flat): void {
  expectLength("extendPaths() prefixes", prefixes, "u32", rows);
  expectLength("extendPaths() labels", labels, "u32", rows);
  expectLength("extendPaths() paths", paths, "u32", rows);
  device.run(pathKernel, { flats: [prefixes, labels, paths], u32: [rows], invocations: [rows] });
}

/** What pairs count, and how much. */
export interface UniquenessOptions {
  /** Squared distance from which a pair costs nothing, in mean squared quantisation errors of a row. */
  margin: number;
  /** Weight of a pair. */
  weight: number;
}

/**
 * Loss of rows with equal codes: max(0, 1 - |z_i - z_j|^2 / (margin * s^2)) for every pair on one path, half of it on
 * each of the two rows, times the weights of pairs and of the row; s^2 = spread / N. latents z (N, D), paths u32 (N) of
 * {@link extendPaths}, spread f32 (1), the sum of the squared quantisation errors, which has no gradient, weights f32
 * (N) -> rowLoss f32 (N). After the uniqueness loss of HiD-VAE (arXiv:2508.04618), with distances for cosines.
 */
export function uniquenessLoss(
  device: Device,
  latents: Matrix,
  paths: Flat,
  spread: Flat,
  weights: Flat,
  rowLoss: Flat,
  options: UniquenessOptions,
): void {
  const { rows } = latents;
  checkFlats(rows, paths, spread, weights);
  expectLength("uniquenessLoss() rowLoss", rowLoss, "f32", rows);
  device.run(lossKernel, {
    inputs: [latents],
    flats: [paths, spread, weights, rowLoss],
    ...parametersOf(latents, options),
    invocations: [rows],
  });
}

/** Gradient of the summed row losses with respect to the latents (N, D). */
export function uniquenessLossBackward(
  device: Device,
  latents: Matrix,
  paths: Flat,
  spread: Flat,
  weights: Flat,
  options: UniquenessOptions,
): Matrix {
  checkFlats(latents.rows, paths, spread, weights);
  const gradient = device.matrix(latents.rows, latents.cols);
  device.run(backwardKernel, {
    inputs: [latents],
    outputs: [gradient],
    flats: [paths, spread, weights],
    ...parametersOf(latents, options),
    invocations: [groupsOf(latents.cols), latents.rows],
  });
  return gradient;
}

function checkFlats(rows: number, paths: Flat, spread: Flat, weights: Flat): void {
  expectLength("uniquenessLoss() paths", paths, "u32", rows);
  expectLength("uniquenessLoss() spread", spread, "f32", 1);
  expectLength("uniquenessLoss() weights", weights, "f32", rows);
}

function parametersOf({ rows, cols }: Matrix, { margin, weight }: UniquenessOptions) {
  return { u32: [rows, groupsOf(cols)], f32: [margin, weight] };
}

const remainders = (rows: number, divisor: number) =>
  flatOf("u32", Array.from({ length: rows }, (_, row) => row * row % divisor));

export const extendPathsSpec: KernelSpec = {
  name: "extendPaths",
  cases: () =>
    [[1, 1, 1], [40, 3, 5], [77, 7, 4]].map(([rows, prefixes, labels]) => ({
      name: `${rows} rows`,
      inputs: { prefixes: remainders(rows, prefixes), labels: remainders(rows, labels) },
      attributes: undefined,
    })),
  reference: ({ prefixes, labels }) => {
    const paths = Array.from(prefixes.data, (prefix, row) => `${prefix},${labels.data[row]}`);
    return { paths: flatOf("u32", paths.map((path) => paths.indexOf(path))) };
  },
  forward: (device, inputs) => {
    const { prefixes, labels } = inputs as Record<string, Flat>;
    const paths = device.createFlat("u32", prefixes.length);
    extendPaths(device, prefixes, labels, prefixes.length, paths);
    return { paths };
  },
};

export const uniquenessLossSpec: KernelSpec<UniquenessOptions> = {
  name: "uniquenessLoss",
  cases: () =>
    [[1, 1, 1], [12, 5, 3], [30, 9, 30], [9, 3, 1]].map(([rows, cols, paths]) => ({
      name: `(${rows}, ${cols}) on ${paths} paths`,
      inputs: {
        latents: matrixOf(rows, cols, noise(rows)),
        paths: remainders(rows, paths),
        spread: flatOf("f32", [rows * cols]),
      },
      attributes: { margin: 0.9, weight: 0.5 },
    })),
  reference: ({ latents, paths, spread }, { margin, weight }) => {
    const rowLoss = new Float64Array(latents.rows);
    for (let i = 0; i < latents.rows; i++) {
      for (let j = 0; j < latents.rows; j++) {
        if (i === j || paths.data[i] !== paths.data[j]) continue;
        const share = squaredDistance(latents, i, j) / (margin * spread.data[0] / latents.rows);
        rowLoss[i] += weight / 2 * Math.max(0, 1 - share);
      }
    }
    return { rowLoss: { kind: "f32", rows: 1, cols: rowLoss.length, data: rowLoss } };
  },
  forward: (device, inputs, options) => {
    const { latents, paths, spread } = inputs as { latents: Matrix; paths: Flat; spread: Flat };
    const ones = device.createFlat("f32", new Float32Array(latents.rows).fill(1));
    const rowLoss = device.createFlat("f32", latents.rows);
    uniquenessLoss(device, latents, paths, spread, ones, rowLoss, options);
    return { rowLoss };
  },
  // The weights of the rows take the place of the gradients of their losses.
  backward: (device, inputs, _outputs, { rowLoss }, options) => {
    const { latents, paths, spread } = inputs as { latents: Matrix; paths: Flat; spread: Flat };
    return { latents: uniquenessLossBackward(device, latents, paths, spread, rowLoss as Flat, options) };
  },
};

function squaredDistance({ data, cols }: Values, i: number, j: number): number {
  let sum = 0;
  for (let d = 0; d < cols; d++) sum += (data[i * cols + d] - data[j * cols + d]) ** 2;
  return sum;
}

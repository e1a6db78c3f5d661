import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./uniqueness.wgsl" with { type: "text" };

const shared = { label: "kernels/quantizer/uniqueness.wgsl", code } as const;
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

import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./reconstruction.wgsl" with { type: "text" };

/** Squared or absolute differences. */
export const RECONSTRUCTION_LOSSES = ["mse", "l1"] as const;
/** One of {@link RECONSTRUCTION_LOSSES}. */
export type ReconstructionLoss = typeof RECONSTRUCTION_LOSSES[number];

const lossKernel: Kernel = {
  label: "kernels/quantizer/reconstruction.wgsl",
  code,
  entry: "reconstruction_loss",
  inputs: 2,
  outputs: 0,
  flats: ["read", "read_write"],
  workgroup: [64],
};
const backwardKernel: Kernel = {
  ...lossKernel,
  entry: "reconstruction_loss_backward",
  outputs: 1,
  flats: ["read"],
  workgroup: [16, 8],
};

/**
 * Loss of each row: its weight times the sum over columns of (prediction - target)^2, or of the absolute value.
 * prediction (N, D), target (N, D), weights f32 (N) -> rowLoss f32 (N). With weights 1 / (N D) the rows add up to the
 * mean.
 */
export function reconstructionLoss(
  device: Device,
  prediction: Matrix,
  target: Matrix,
  weights: Flat,
  rowLoss: Flat,
  kind: ReconstructionLoss,
): void {
  checkOperands(prediction, target, weights);
  expectLength("reconstructionLoss() rowLoss", rowLoss, "f32", prediction.rows);
  device.run(lossKernel, {
    inputs: [prediction, target],
    flats: [weights, rowLoss],
    u32: [prediction.rows, groupsOf(prediction.cols), Number(kind === "l1")],
    invocations: [prediction.rows],
  });
}

/** Gradient of the summed row losses with respect to the prediction (N, D). Where it meets the target, that of l1 is 0. */
export function reconstructionLossBackward(
  device: Device,
  prediction: Matrix,
  target: Matrix,
  weights: Flat,
  kind: ReconstructionLoss,
): Matrix {
  checkOperands(prediction, target, weights);
  const { rows, cols } = prediction;
  const gradient = device.matrix(rows, cols);
  device.run(backwardKernel, {
    inputs: [prediction, target],
    outputs: [gradient],
    flats: [weights],
    u32: [rows, groupsOf(cols), Number(kind === "l1")],
    invocations: [groupsOf(cols), rows],
  });
  return gradient;
}

function checkOperands(prediction: Matrix, target: Matrix, weights: Flat): void {
  expectShape("reconstructionLoss() target", target, prediction.rows, prediction.cols);
  expectLength("reconstructionLoss() weights", weights, "f32", prediction.rows);
}

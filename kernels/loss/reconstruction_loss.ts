import { scale } from "../elementwise/add.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./reconstruction_loss.wgsl" with { type: "text" };

/** Squared or absolute differences. */
export const RECONSTRUCTION_LOSSES = ["mse", "l1"] as const;
/** One of {@link RECONSTRUCTION_LOSSES}. */
export type ReconstructionLoss = typeof RECONSTRUCTION_LOSSES[number];

const lossKernel: Kernel = {
  label: "kernels/loss/reconstruction_loss.wgsl",
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

interface Attributes {
  kind: ReconstructionLoss;
  /** Of every row. */
  weight: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "reconstructionLoss",
  cases: () =>
    [[1, 1], [7, 13], [65, 32], [0, 4]].flatMap(([rows, cols]) =>
      RECONSTRUCTION_LOSSES.map((kind) => {
        const next = noise(rows + cols);
        return {
          name: `${kind} (${rows}, ${cols})`,
          inputs: { prediction: matrixOf(rows, cols, next), target: matrixOf(rows, cols, next) },
          attributes: { kind, weight: 0.25 },
        };
      })
    ),
  reference: ({ prediction, target }, { kind, weight }) => {
    const rowLoss = new Float64Array(prediction.rows);
    prediction.data.forEach((value, i) => {
      const difference = value - target.data[i];
      const term = kind === "l1" ? Math.abs(difference) : difference ** 2;
      rowLoss[Math.floor(i / prediction.cols)] += weight * term;
    });
    return { rowLoss: { kind: "f32", rows: 1, cols: rowLoss.length, data: rowLoss } };
  },
  forward: (device, inputs, { kind, weight }) => {
    const { prediction, target } = inputs as Record<string, Matrix>;
    const weights = device.createFlat("f32", new Float32Array(prediction.rows).fill(weight));
    const rowLoss = device.createFlat("f32", prediction.rows);
    reconstructionLoss(device, prediction, target, weights, rowLoss, kind);
    return { rowLoss };
  },
  backward: (device, inputs, _outputs, { rowLoss }, { kind, weight }) => {
    const { prediction, target } = inputs as Record<string, Matrix>;
    const gradient = reconstructionLossBackward(device, prediction, target, rowLoss as Flat, kind);
    return { prediction: scale(device, gradient, weight), target: scale(device, gradient, -weight) };
  },
};

import { crossEntropyChunk, type VocabularyChunk } from "./cross_entropy.ts";
import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./robust.wgsl" with { type: "text" };

const exponentsKernel: Kernel = {
  label: "kernels/loss/robust.wgsl",
  code,
  entry: "robust_exponents",
  inputs: 1,
  outputs: 1,
  flats: ["read", "read"],
  workgroup: [16, 8],
};
const rowsKernel: Kernel = {
  ...exponentsKernel,
  entry: "robust_loss_rows",
  inputs: 0,
  outputs: 0,
  flats: ["read", "read", "read_write"],
  workgroup: [32],
};
const backwardKernel: Kernel = {
  ...exponentsKernel,
  entry: "robust_loss_backward",
  flats: ["read", "read", "read", "read"],
};

/** What scores are compared with (rows R, items V). */
export interface RobustTargets {
  /** Items that are right (R), u32. */
  targets: Flat;
  /** Factors of the squared errors (V), f32, none negative. */
  scales: Flat;
}

/**
 * Folds the scores of one chunk of the items into the statistics of its rows: those of {@link crossEntropyChunk}, of
 * the exponents scale * (score - 1)^2 for the target and scale * score^2 for all other items. scores (R, Vc) ->
 * stats f32 (4 R).
 */
export function robustLossChunk(
  device: Device,
  scores: Matrix,
  { targets, scales }: RobustTargets,
  stats: Flat,
  { start, first }: VocabularyChunk,
): void {
  const { rows, cols } = scores;
  checkOperands("robustLossChunk()", scores, { targets, scales }, start);
  // Squares outgrow float16 long before scores do.
  const exponents = device.matrix(rows, cols, "f32");
  device.run(exponentsKernel, {
    inputs: [scores],
    outputs: [exponents],
    flats: [targets, scales],
    u32: [rows, cols, start],
    invocations: [groupsOf(cols), rows],
  });
  crossEntropyChunk(device, exponents, targets, stats, { start, first });
  device.release(exponents);
}

/**
 * Adds the loss of each row once all chunks are folded in: coefficient * weight * ln sum exp(exponent), nothing where
 * the weight is 0. stats f32 (4 R), weights f32 (R) -> rowLoss f32 (R), in nats. No exponent is negative, so that the
 * sum is at least the number of items: its logarithm needs no small number added.
 */
export function robustLossRows(
  device: Device,
  stats: Flat,
  weights: Flat,
  rowLoss: Flat,
  { rows, coefficient }: { rows: number; coefficient: number },
): void {
  expectLength("robustLossRows() stats", stats, "f32", rows * 4);
  expectLength("robustLossRows() weights", weights, "f32", rows);
  expectLength("robustLossRows() rowLoss", rowLoss, "f32", rows);
  device.run(rowsKernel, {
    flats: [stats, weights, rowLoss],
    u32: [rows],
    f32: [coefficient],
    invocations: [rows],
  });
}

/**
 * Gradient of the summed row losses for one chunk, 0 where the weight is 0. scores (R, Vc), weights f32 (R), stats
 * f32 (4 R) of all chunks -> (R, Vc).
 */
export function robustLossBackward(
  device: Device,
  scores: Matrix,
  { targets, scales }: RobustTargets,
  weights: Flat,
  stats: Flat,
  { start, coefficient }: { start: number; coefficient: number },
): Matrix {
  const { rows, cols } = scores;
  checkOperands("robustLossBackward()", scores, { targets, scales }, start);
  expectLength("robustLossBackward() weights", weights, "f32", rows);
  expectLength("robustLossBackward() stats", stats, "f32", rows * 4);
  const gradient = device.matrix(rows, cols);
  device.run(backwardKernel, {
    inputs: [scores],
    outputs: [gradient],
    flats: [targets, scales, weights, stats],
    u32: [rows, cols, start],
    f32: [coefficient],
    invocations: [groupsOf(cols), rows],
  });
  return gradient;
}

function checkOperands(
  what: string,
  { rows, cols }: Matrix,
  { targets, scales }: RobustTargets,
  start: number,
): void {
  expectLength(`${what} targets`, targets, "u32", rows);
  expectLength(`${what} scales`, scales, "f32", start + cols);
}

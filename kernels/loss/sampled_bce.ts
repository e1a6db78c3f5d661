import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./sampled_bce.wgsl" with { type: "text" };

const lossKernel: Kernel = {
  label: "kernels/loss/sampled_bce.wgsl",
  code,
  entry: "sampled_bce",
  inputs: 2,
  outputs: 0,
  flats: ["read", "read_write"],
  workgroup: [64],
};
const backwardKernel: Kernel = { ...lossKernel, entry: "sampled_bce_backward", outputs: 2, flats: ["read"] };

/**
 * Loss of each row: its weight times the mean of -ln sigmoid(h . p) and -ln(1 - sigmoid(h . n)), with p the item that
 * is right and n one that is not (Kang and McAuley 2018, arXiv:1808.09781, section III.F, there as a sum). hidden (R, C),
 * items (2 R, C) those that are right and then those that are not, weights f32 (R) -> rowLoss f32 (R), in nats.
 */
export function sampledBce(
  device: Device,
  hidden: Matrix,
  items: Matrix,
  weights: Flat,
  rowLoss: Flat,
): void {
  checkOperands(hidden, items, weights);
  expectLength("sampledBce() rowLoss", rowLoss, "f32", hidden.rows);
  device.run(lossKernel, { inputs: [hidden, items], flats: [weights, rowLoss], ...dispatchOf(hidden) });
}

/** Gradients of the summed row losses: of hidden (R, C) and of items (2 R, C). */
export function sampledBceBackward(
  device: Device,
  hidden: Matrix,
  items: Matrix,
  weights: Flat,
): { dHidden: Matrix; dItems: Matrix } {
  checkOperands(hidden, items, weights);
  const dHidden = device.matrix(hidden.rows, hidden.cols);
  const dItems = device.matrix(items.rows, items.cols);
  device.run(backwardKernel, {
    inputs: [hidden, items],
    outputs: [dHidden, dItems],
    flats: [weights],
    ...dispatchOf(hidden),
  });
  return { dHidden, dItems };
}

function checkOperands(hidden: Matrix, items: Matrix, weights: Flat): void {
  expectShape("sampledBce() items", items, 2 * hidden.rows, hidden.cols);
  expectLength("sampledBce() weights", weights, "f32", hidden.rows);
}

function dispatchOf({ rows, cols }: Matrix) {
  return { u32: [rows, groupsOf(cols)], invocations: [rows] as const };
}

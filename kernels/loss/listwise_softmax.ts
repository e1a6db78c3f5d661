import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../gpu/tensor.ts";
import code from "./listwise_softmax.wgsl" with { type: "text" };

const lossKernel: Kernel = {
  label: "kernels/loss/listwise_softmax.wgsl",
  code,
  entry: "listwise_softmax",
  inputs: 1,
  outputs: 0,
  flats: ["read", "read", "read", "read_write"],
  workgroup: [32],
};
const backwardKernel: Kernel = {
  ...lossKernel,
  entry: "listwise_softmax_backward",
  outputs: 1,
  flats: ["read", "read", "read"],
};

/** Lists of rows that lie one after the other (lists L). */
export interface RowLists {
  /** u32 (L + 1), ascending from 0: the rows of list l are [offsets[l], offsets[l + 1]). Lists may be empty. */
  offsets: Flat;
  /** u32 (L): the row that is right; a list whose rows do not have it, such as `NO_ROW`, does not count. */
  targets: Flat;
  /** f32 (L): weight of each list in the loss; lists of weight 0 do not count. */
  weights: Flat;
}

/**
 * Cross-entropy of each list: weight * (ln sum of exp(score of its rows) - score of its target), exactly 0 where the
 * list does not count. scores (R, 1) -> listLoss f32 (L), in nats. Source: ListNet with one relevant item, Cao et al.
 * 2007 (doi:10.1145/1273496.1273513).
 */
export function listwiseSoftmax(device: Device, scores: Matrix, lists: RowLists, listLoss: Flat): void {
  const count = checkedCount(scores, lists);
  expectLength("listwiseSoftmax() listLoss", listLoss, "f32", count);
  device.run(lossKernel, {
    inputs: [scores],
    flats: [lists.offsets, lists.targets, lists.weights, listLoss],
    u32: [count, scores.rows],
    invocations: [count],
  });
}

/** Gradient of the summed list losses: scores (R, 1) -> (R, 1), 0 in rows of lists that do not count and of no list. */
export function listwiseSoftmaxBackward(device: Device, scores: Matrix, lists: RowLists): Matrix {
  const count = checkedCount(scores, lists);
  const gradient = device.matrix(scores.rows, 1);
  device.run(backwardKernel, {
    inputs: [scores],
    outputs: [gradient],
    flats: [lists.offsets, lists.targets, lists.weights],
    u32: [count, scores.rows],
    invocations: [count + 1],
  });
  return gradient;
}

function checkedCount(scores: Matrix, { offsets, targets, weights }: RowLists): number {
  const count = offsets.length - 1;
  expectShape("listwise softmax scores", scores, scores.rows, 1);
  expectLength("listwise softmax targets", targets, "u32", count);
  expectLength("listwise softmax weights", weights, "f32", count);
  return count;
}

import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./symmetric_kl.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/quantizer/symmetric_kl.wgsl",
  code,
  entry: "symmetric_kl",
  inputs: 2,
  outputs: 0,
  flats: ["read", "read_write", "read_write"],
  workgroup: [32],
};
const backwardKernel: Kernel = {
  ...forwardKernel,
  entry: "symmetric_kl_backward",
  outputs: 2,
  flats: ["read", "read"],
  workgroup: [16, 8],
};

/**
 * Loss of each row: its weight times KL(P | Q) + KL(Q | P), in nats, of the distributions P = softmax(p) and
 * Q = softmax(q); exactly 0 where the weight is 0. p (R, K), q (R, K), weights f32 (R) -> rowLoss f32 (R), and stats
 * f32 (4 R) for the backward pass.
 */
export function symmetricKl(
  device: Device,
  p: Matrix,
  q: Matrix,
  weights: Flat,
  stats: Flat,
  rowLoss: Flat,
): void {
  checkOperands(p, q, weights, stats);
  expectLength("symmetricKl() rowLoss", rowLoss, "f32", p.rows);
  device.run(forwardKernel, {
    inputs: [p, q],
    flats: [weights, stats, rowLoss],
    u32: [p.rows, p.cols],
    invocations: [p.rows],
  });
}

/** Gradients (R, K) of the summed row losses with respect to p and q; rows of weight 0 have 0. */
export function symmetricKlBackward(
  device: Device,
  p: Matrix,
  q: Matrix,
  weights: Flat,
  stats: Flat,
): { dp: Matrix; dq: Matrix } {
  checkOperands(p, q, weights, stats);
  const { rows, cols } = p;
  const dp = device.matrix(rows, cols);
  const dq = device.matrix(rows, cols);
  device.run(backwardKernel, {
    inputs: [p, q],
    outputs: [dp, dq],
    flats: [weights, stats],
    u32: [rows, cols],
    invocations: [groupsOf(cols), rows],
  });
  return { dp, dq };
}

function checkOperands(p: Matrix, q: Matrix, weights: Flat, stats: Flat): void {
  expectShape("symmetricKl() q", q, p.rows, p.cols);
  expectLength("symmetricKl() weights", weights, "f32", p.rows);
  expectLength("symmetricKl() stats", stats, "f32", 4 * p.rows);
}

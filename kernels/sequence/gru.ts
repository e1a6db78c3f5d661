import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { columnSum } from "../reduce/column_sum.ts";
import { matmulAt } from "../matmul/matmul.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import { windowRows } from "./window.ts";
import code from "./gru.wgsl" with { type: "text" };

/** Widest state that the kernels keep in workgroup memory. */
export const MAX_GRU_WIDTH = 512;

const THREADS = 64;
const common = {
  label: "kernels/sequence/gru.wgsl",
  code,
  outputs: 2,
  flats: ["read", "read"],
  workgroup: [THREADS],
} as const;
const forwardKernel: Kernel = { ...common, entry: "gru", inputs: 3 };
const backwardKernel: Kernel = { ...common, entry: "gru_backward", inputs: 4 };

/** Where packed sequences lie: rows in use are those with a viewer. */
export interface PackedSequences {
  /** Position of each row in its sequence u32 (T). */
  positions: Flat;
  /** Rows from each row to the end of its sequence u32 (2 T), (0, 0) for unused rows. */
  viewers: Flat;
}

/**
 * Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) as in cuDNN and PyTorch, each sequence from the state 0:
 * r = sigmoid(x_r + W_r h + b_r), z = sigmoid(x_z + W_z h + b_z), n = tanh(x_n + r (W_n h + b_n)), h' = (1 - z) n + z h.
 *
 * gates (T, 3H) are the products of the inputs, r | z | n; weight (3H, H), bias (1, 3H) -> h (T, H), 0 for unused rows,
 * and `saved` (T, 4H), which backward needs. H is a multiple of 4, at most {@link MAX_GRU_WIDTH}.
 */
export function gru(
  device: Device,
  gates: Matrix,
  weight: Matrix,
  bias: Matrix,
  sequences: PackedSequences,
): { h: Matrix; saved: Matrix } {
  const width = weight.cols;
  if (width % 4 !== 0 || width > MAX_GRU_WIDTH) {
    throw new RangeError(`gru() state is ${width} wide: expected a multiple of 4, at most ${MAX_GRU_WIDTH}`);
  }
  expectShape("gru() weight", weight, 3 * width, width);
  expectShape("gru() bias", bias, 1, 3 * width);
  expectShape("gru() gates", gates, gates.rows, 3 * width);
  const h = device.matrix(gates.rows, width);
  const saved = device.matrix(gates.rows, 4 * width, "f32");
  device.run(forwardKernel, {
    inputs: [gates, weight, bias],
    outputs: [h, saved],
    ...dispatchOf(gates.rows, width, sequences),
  });
  return { h, saved };
}

/**
 * Gradient dh (T, H) of {@link gru} -> that of the gates (T, 3H), and `inner` (T, 3H), that of the products with the
 * state before, from which {@link gruWeightGradients} come.
 */
export function gruBackward(
  device: Device,
  { h, saved }: { h: Matrix; saved: Matrix },
  dh: Matrix,
  weight: Matrix,
  sequences: PackedSequences,
): { gates: Matrix; inner: Matrix } {
  expectShape("gruBackward() dh", dh, h.rows, h.cols);
  const gates = device.matrix(h.rows, 3 * h.cols);
  const inner = device.matrix(h.rows, 3 * h.cols);
  device.run(backwardKernel, {
    inputs: [saved, h, dh, weight],
    outputs: [gates, inner],
    ...dispatchOf(h.rows, h.cols, sequences),
  });
  return { gates, inner };
}

/** Adds the gradients of the recurrent weight (3H, H) and bias (1, 3H) to flat arrays. */
export function gruWeightGradients(
  device: Device,
  h: Matrix,
  inner: Matrix,
  { positions }: PackedSequences,
  weight: Flat,
  bias: Flat,
): void {
  const before = windowRows(device, h, positions, { count: 1, nearest: 1 });
  matmulAt(device, inner, before, weight, true);
  columnSum(device, inner, bias, true);
  device.release(before);
}

function dispatchOf(rows: number, width: number, { positions, viewers }: PackedSequences) {
  expectLength("gru() positions", positions, "u32", rows);
  expectLength("gru() viewers", viewers, "u32", 2 * rows);
  return {
    flats: [positions, viewers],
    u32: [rows, groupsOf(width)],
    invocations: [rows * THREADS] as const,
  };
}

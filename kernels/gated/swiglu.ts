import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import { gatedUnitKernels } from "./unit.ts";
import code from "./swiglu.wgsl" with { type: "text" };

/** Gated unit with SiLU (Shazeer 2020, arXiv:2002.05202). */
export const { forward: swiglu, backward: swigluBackward } = gatedUnitKernels("swiglu", code);

const pair = {
  label: "kernels/gated/swiglu.wgsl",
  code,
  staged: true,
  flats: [],
  workgroup: [16, 8],
} as const;
const pairKernel: Kernel = { ...pair, entry: "swiglu_pair", inputs: 2, outputs: 1 };
const pairBackwardKernel: Kernel = { ...pair, entry: "swiglu_pair_backward", inputs: 3, outputs: 2 };

/** The same of a gate and what it gates in matrices of their own. gate (T, I), up (T, I) -> silu(gate) * up (T, I). */
export function swigluPair(device: Device, gate: Matrix, up: Matrix): Matrix {
  const { rows, cols } = gate;
  expectShape("swigluPair() up", up, rows, cols);
  const y = device.matrix(rows, cols);
  device.run(pairKernel, { inputs: [gate, up], outputs: [y], ...pairDispatch(gate) });
  return y;
}

/** gate, up and dy, (T, I) each -> dGate, dUp (T, I). */
export function swigluPairBackward(
  device: Device,
  gate: Matrix,
  up: Matrix,
  dy: Matrix,
): { gate: Matrix; up: Matrix } {
  const { rows, cols } = gate;
  expectShape("swigluPairBackward() up", up, rows, cols);
  expectShape("swigluPairBackward() dy", dy, rows, cols);
  const made = { gate: device.matrix(rows, cols), up: device.matrix(rows, cols) };
  const outputs = [made.gate, made.up];
  device.run(pairBackwardKernel, { inputs: [gate, up, dy], outputs, ...pairDispatch(gate) });
  return made;
}

function pairDispatch({ rows, cols }: Matrix) {
  return { u32: [rows, groupsOf(cols)], invocations: [groupsOf(cols), rows] as const };
}

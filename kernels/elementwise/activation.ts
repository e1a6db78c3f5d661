import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./activation.wgsl" with { type: "text" };

/** In the order of the constants in activation.wgsl. "gelu" is the tanh form, "geluErf" the exact one. */
export const ACTIVATION_NAMES = ["relu", "silu", "gelu", "geluErf"] as const;
/** Name of an activation; "gelu" is the tanh form, "geluErf" the exact one. */
export type ActivationName = typeof ACTIVATION_NAMES[number];

const forwardKernel: Kernel = {
  label: "kernels/elementwise/activation.wgsl",
  code,
  entry: "activation",
  inputs: 1,
  outputs: 1,
  staged: true,
  flats: [],
  workgroup: [16, 8],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "activation_backward", inputs: 2 };

/** x (N, C) -> f(x) (N, C). After a product use the `activation` of `matmul` instead, unless f is trained through. */
export function activation(device: Device, x: Matrix, name: ActivationName): Matrix {
  const y = device.matrix(x.rows, x.cols);
  device.run(forwardKernel, { inputs: [x], outputs: [y], ...dispatchOf(x, name) });
  return y;
}

/** x (N, C), the input of the forward call, and dy (N, C) -> dx (N, C). */
export function activationBackward(device: Device, x: Matrix, dy: Matrix, name: ActivationName): Matrix {
  expectShape("activationBackward() dy", dy, x.rows, x.cols);
  const dx = device.matrix(x.rows, x.cols);
  device.run(backwardKernel, { inputs: [x, dy], outputs: [dx], ...dispatchOf(x, name) });
  return dx;
}

function dispatchOf({ rows, cols }: Matrix, name: ActivationName) {
  const groups = groupsOf(cols);
  return { u32: [rows, groups, ACTIVATION_NAMES.indexOf(name)], invocations: [groups, rows] as const };
}

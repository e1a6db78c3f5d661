import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./rms.wgsl" with { type: "text" };

const common = { label: "kernels/norm/rms.wgsl", code, flats: [], workgroup: [64] as const };
const forwardKernel: Kernel = { ...common, entry: "rms_norm", inputs: 2, outputs: 1 };
const backwardKernel: Kernel = { ...common, entry: "rms_norm_backward", inputs: 3, outputs: 2 };

/** RMSNorm (Zhang and Sennrich 2019). x (N, C), gain (1, C) -> y (N, C). */
export function rmsNorm(device: Device, x: Matrix, gain: Matrix, eps: number): Matrix {
  const y = device.matrix(x.rows, x.cols);
  device.run(forwardKernel, { inputs: [x, gain], outputs: [y], ...dispatchOf(x, gain, eps) });
  return y;
}

/** x (N, C), gain, dy (N, C) -> dx (N, C) and gainTerms (N, C), whose `columnSum` is the gain's gradient. */
export function rmsNormBackward(
  device: Device,
  x: Matrix,
  gain: Matrix,
  dy: Matrix,
  eps: number,
): { dx: Matrix; gainTerms: Matrix } {
  expectShape("rmsNormBackward() dy", dy, x.rows, x.cols);
  const dx = device.matrix(x.rows, x.cols);
  const gainTerms = device.matrix(x.rows, x.cols);
  device.run(backwardKernel, {
    inputs: [x, gain, dy],
    outputs: [dx, gainTerms],
    ...dispatchOf(x, gain, eps),
  });
  return { dx, gainTerms };
}

function dispatchOf(x: Matrix, gain: Matrix, eps: number) {
  expectShape("rmsNorm() gain", gain, 1, x.cols);
  return { u32: [x.rows, groupsOf(x.cols)], f32: [x.cols, eps], invocations: [x.rows] as const };
}

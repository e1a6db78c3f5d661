import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import { productColumnSum } from "../reduce/column_sum.ts";
import code from "./rms.wgsl" with { type: "text" };

const common = { label: "kernels/norm/rms.wgsl", code, outputs: 1, staged: true, workgroup: [64] as const };
const forwardKernel: Kernel = { ...common, entry: "rms_norm", inputs: 2, flats: [] };
const backwardKernel: Kernel = { ...common, entry: "rms_norm_backward", inputs: 3, flats: ["read_write"] };

/** RMSNorm (Zhang and Sennrich 2019). x (N, C), gain (1, C) -> y (N, C). */
export function rmsNorm(device: Device, x: Matrix, gain: Matrix, eps: number): Matrix {
  const y = device.matrix(x.rows, x.cols);
  device.run(forwardKernel, { inputs: [x, gain], outputs: [y], ...dispatchOf(x, gain, eps) });
  return y;
}

/**
 * x (N, C), gain, dy (N, C) -> dx (N, C). The gain's gradient is added to `dGain` (C, padded to whole groups of four),
 * where there is one.
 */
export function rmsNormBackward(
  device: Device,
  x: Matrix,
  gain: Matrix,
  dy: Matrix,
  dGain: Flat | undefined,
  eps: number,
): Matrix {
  expectShape("rmsNormBackward() dy", dy, x.rows, x.cols);
  const dx = device.matrix(x.rows, x.cols);
  const scales = device.borrow(Math.max(1, x.rows));
  device.run(backwardKernel, {
    inputs: [x, gain, dy],
    outputs: [dx],
    flats: [scales],
    ...dispatchOf(x, gain, eps),
  });
  if (dGain) productColumnSum(device, dy, x, scales, dGain);
  device.giveBack(scales);
  return dx;
}

function dispatchOf(x: Matrix, gain: Matrix, eps: number) {
  expectShape("rmsNorm() gain", gain, 1, x.cols);
  return { u32: [x.rows, groupsOf(x.cols)], f32: [x.cols, eps], invocations: [x.rows] as const };
}

import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./layer.wgsl" with { type: "text" };

const forwardKernel: Kernel = {
  label: "kernels/norm/layer.wgsl",
  code,
  entry: "layer_norm",
  inputs: 3,
  outputs: 1,
  staged: true,
  flats: [],
  workgroup: [64],
};
const backwardKernel: Kernel = { ...forwardKernel, entry: "layer_norm_backward", outputs: 2 };

/** LayerNorm (arXiv:1607.06450). x (N, C), gain (1, C), bias (1, C) -> y (N, C). */
export function layerNorm(device: Device, x: Matrix, gain: Matrix, bias: Matrix, eps: number): Matrix {
  expectShape("layerNorm() bias", bias, 1, x.cols);
  const y = device.matrix(x.rows, x.cols);
  device.run(forwardKernel, { inputs: [x, gain, bias], outputs: [y], ...dispatchOf(x, gain, eps) });
  return y;
}

/**
 * x (N, C), gain (1, C), dy (N, C) -> dx (N, C) and gainTerms (N, C), whose `columnSum` is the gain's gradient. That of
 * the bias is the `columnSum` of dy.
 */
export function layerNormBackward(
  device: Device,
  x: Matrix,
  gain: Matrix,
  dy: Matrix,
  eps: number,
): { dx: Matrix; gainTerms: Matrix } {
  expectShape("layerNormBackward() dy", dy, x.rows, x.cols);
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
  expectShape("layerNorm() gain", gain, 1, x.cols);
  return { u32: [x.rows, groupsOf(x.cols)], f32: [x.cols, eps], invocations: [x.rows, 1] as const };
}

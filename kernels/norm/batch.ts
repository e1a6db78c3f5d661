import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./batch.wgsl" with { type: "text" };

const label = "kernels/norm/batch.wgsl";
const columns = { label, code, outputs: 1, workgroup: [8] } as const;
const cells = { label, code, outputs: 1, flats: [], workgroup: [16, 8] } as const;
const momentsKernel: Kernel = {
  ...columns,
  entry: "batch_moments",
  inputs: 1,
  flats: ["read_write", "read_write"],
};
const runningKernel: Kernel = { ...columns, entry: "running_moments", inputs: 2, flats: [] };
const sumsKernel: Kernel = {
  ...columns,
  entry: "batch_norm_sums",
  inputs: 3,
  flats: ["read_write", "read_write"],
};
const forwardKernel: Kernel = { ...cells, entry: "batch_norm", inputs: 4 };
const backwardKernel: Kernel = { ...cells, entry: "batch_norm_backward", inputs: 5 };

/** Moments of the inputs seen in training, for use after it. */
export interface RunningMoments {
  /** f32 (C). */
  mean: Flat;
  /** f32 (C), of an unbiased estimate. */
  variance: Flat;
  /** Share of the way that they move towards those of a batch. */
  momentum: number;
}

/** Mean and variance of each column. x (N, C) -> (2, C). `running` moves towards them where `update`. */
export function batchMoments(device: Device, x: Matrix, running: RunningMoments, update: boolean): Matrix {
  const groups = groupsOf(x.cols);
  expectLength("batchMoments() running mean", running.mean, "f32", groups * 4);
  expectLength("batchMoments() running variance", running.variance, "f32", groups * 4);
  const moments = device.matrix(2, x.cols, "f32");
  device.run(momentsKernel, {
    inputs: [x],
    outputs: [moments],
    flats: [running.mean, running.variance],
    u32: [x.rows, groups, Number(update)],
    f32: [running.momentum],
    invocations: [groups],
  });
  return moments;
}

/** Running moments as {@link batchNorm} takes them. mean (1, C), variance (1, C) -> (2, C). */
export function runningMoments(device: Device, mean: Matrix, variance: Matrix): Matrix {
  expectShape("runningMoments() variance", variance, 1, mean.cols);
  const moments = device.matrix(2, mean.cols, "f32");
  const groups = groupsOf(mean.cols);
  device.run(runningKernel, {
    inputs: [mean, variance],
    outputs: [moments],
    u32: [1, groups],
    f32: [0],
    invocations: [groups],
  });
  return moments;
}

/** Batch normalisation (Ioffe and Szegedy 2015). x (N, C), moments (2, C), gain (1, C), bias (1, C) -> y (N, C). */
export function batchNorm(
  device: Device,
  x: Matrix,
  moments: Matrix,
  gain: Matrix,
  bias: Matrix,
  eps: number,
): Matrix {
  expectShape("batchNorm() moments", moments, 2, x.cols);
  expectShape("batchNorm() gain", gain, 1, x.cols);
  expectShape("batchNorm() bias", bias, 1, x.cols);
  const y = device.matrix(x.rows, x.cols);
  device.run(forwardKernel, { inputs: [x, moments, gain, bias], outputs: [y], ...dispatchOf(x, eps) });
  return y;
}

/**
 * x (N, C), its {@link batchMoments} (2, C), gain (1, C), dy (N, C) -> dx (N, C), through the moments too. The gradients
 * of gain and bias, f32 (C), are added to.
 */
export function batchNormBackward(
  device: Device,
  x: Matrix,
  moments: Matrix,
  gain: Matrix,
  dy: Matrix,
  eps: number,
  gradients: { gain: Flat; bias: Flat },
): Matrix {
  const groups = groupsOf(x.cols);
  expectShape("batchNormBackward() dy", dy, x.rows, x.cols);
  expectLength("batchNormBackward() gain gradient", gradients.gain, "f32", groups * 4);
  expectLength("batchNormBackward() bias gradient", gradients.bias, "f32", groups * 4);
  const sums = device.matrix(2, x.cols, "f32");
  device.run(sumsKernel, {
    inputs: [x, moments, dy],
    outputs: [sums],
    flats: [gradients.gain, gradients.bias],
    ...dispatchOf(x, eps),
    invocations: [groups],
  });
  const dx = device.matrix(x.rows, x.cols);
  device.run(backwardKernel, { inputs: [x, moments, dy, gain, sums], outputs: [dx], ...dispatchOf(x, eps) });
  device.release(sums);
  return dx;
}

function dispatchOf({ rows, cols }: Matrix, eps: number) {
  return { u32: [rows, groupsOf(cols)], f32: [eps], invocations: [groupsOf(cols), rows] as const };
}

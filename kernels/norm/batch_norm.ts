import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { flatOf, type KernelSpec, matrixOf, noise, type Values } from "../gpu/spec.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./batch_norm.wgsl" with { type: "text" };

const label = "kernels/norm/batch_norm.wgsl";
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

const EPS = 1e-2;
const SHAPES = [[5, 12], [3, 7], [70, 33], [2, 1]];

// The second column is constant: eps alone must keep it finite. The first is far from 0.
function testInput(rows: number, cols: number): Values {
  const next = noise(rows * cols);
  return matrixOf(rows, cols, (_, col) => col === 1 ? 3 : col === 0 ? 20 + next() : next());
}

/** Mean and sum of squared differences from it, of every column. */
function columnMoments({ data, rows, cols }: Values): { mean: number; squares: number }[] {
  return Array.from({ length: cols }, (_, col) => {
    const column = Array.from({ length: rows }, (_, row) => data[row * cols + col]);
    const mean = column.reduce((sum, value) => sum + value, 0) / rows;
    return { mean, squares: column.reduce((sum, value) => sum + (value - mean) ** 2, 0) };
  });
}

export const batchMomentsSpec: KernelSpec<{ momentum: number }> = {
  name: "batchMoments",
  cases: () =>
    SHAPES.map(([rows, cols]) => ({
      name: `(${rows}, ${cols})`,
      inputs: { x: testInput(rows, cols) },
      attributes: { momentum: 0.1 },
    })),
  reference: ({ x }, { momentum }) => {
    const columns = columnMoments(x);
    const padded = (values: number[]) => flatOf("f32", [...values, ...new Array(-x.cols & 3).fill(0)]);
    const moments = [...columns.map(({ mean }) => mean), ...columns.map(({ squares }) => squares / x.rows)];
    return {
      moments: { kind: "matrix", rows: 2, cols: x.cols, data: Float64Array.from(moments) },
      mean: padded(columns.map(({ mean }) => momentum * mean)),
      variance: padded(columns.map(({ squares }) => momentum * squares / Math.max(x.rows - 1, 1))),
    };
  },
  forward: (device, inputs, { momentum }) => {
    const x = inputs.x as Matrix;
    const [mean, variance] = [0, 1].map(() => device.createFlat("f32", groupsOf(x.cols) * 4));
    const moments = batchMoments(device, x, { mean, variance, momentum }, true);
    batchMoments(device, x, { mean, variance, momentum }, false); // must not move them
    return { moments, mean, variance };
  },
};

export const batchNormSpec: KernelSpec = {
  name: "batchNorm",
  cases: () =>
    SHAPES.map(([rows, cols]) => {
      const next = noise(rows + cols);
      return {
        name: `(${rows}, ${cols})`,
        inputs: {
          x: testInput(rows, cols),
          gain: matrixOf(1, cols, next),
          bias: matrixOf(1, cols, next),
        },
        attributes: undefined,
      };
    }),
  reference: ({ x, gain, bias }) => {
    const columns = columnMoments(x);
    const y = x.data.map((value, i) => {
      const c = i % x.cols;
      const { mean, squares } = columns[c];
      return (value - mean) / Math.sqrt(squares / x.rows + EPS) * gain.data[c] + bias.data[c];
    });
    return { y: { ...x, data: y } };
  },
  forward: (device, inputs) => {
    const { x, gain, bias } = inputs as Record<string, Matrix>;
    return { y: batchNorm(device, x, testMoments(device, x), gain, bias, EPS) };
  },
  backward: (device, inputs, _outputs, gradients) => {
    const { x, gain } = inputs as Record<string, Matrix>;
    const [dGain, dBias] = [0, 1].map(() => device.createFlat("f32", groupsOf(x.cols) * 4));
    const flats = { gain: dGain, bias: dBias };
    const dy = gradients.y as Matrix;
    return {
      x: batchNormBackward(device, x, testMoments(device, x), gain, dy, EPS, flats),
      gain: dGain,
      bias: dBias,
    };
  },
};

function testMoments(device: Device, x: Matrix): Matrix {
  const [mean, variance] = [0, 1].map(() => device.createFlat("f32", groupsOf(x.cols) * 4));
  return batchMoments(device, x, { mean, variance, momentum: 0 }, false);
}

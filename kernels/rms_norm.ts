import type { Device } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import { type KernelSpec, matrixOf, noise } from "./spec.ts";
import { expectShape, groupsOf, type Matrix } from "./tensor.ts";
import code from "./rms_norm.wgsl" with { type: "text" };

const label = "kernels/rms_norm.wgsl";
const forwardKernel: Kernel = {
  label,
  code,
  entry: "rms_norm",
  inputs: 2,
  outputs: 1,
  flats: [],
  workgroup: [64, 1],
};
const backwardKernel: Kernel = {
  label,
  code,
  entry: "rms_norm_backward",
  inputs: 3,
  outputs: 2,
  flats: [],
  workgroup: [64, 1],
};

/**
 * RMSNorm (Zhang and Sennrich 2019). x (N, C), gain (1, C / segments) -> y (N, C). With `segments` > 1 every part of a
 * row is normalised for itself: the QK-norm of Qwen3, one part a head. C / segments must be a multiple of 4 then.
 */
export function rmsNorm(device: Device, x: Matrix, gain: Matrix, eps: number, segments = 1): Matrix {
  const y = device.matrix(x.rows, x.cols);
  device.run(forwardKernel, { inputs: [x, gain], outputs: [y], ...dispatchOf(x, gain, eps, segments) });
  return y;
}

/**
 * x (N, C), gain, dy (N, C) -> dx (N, C) and gainTerms (N, C): sum the latter over rows (and segments) with
 * `columnSum` for the gain's gradient.
 */
export function rmsNormBackward(
  device: Device,
  x: Matrix,
  gain: Matrix,
  dy: Matrix,
  eps: number,
  segments = 1,
): { dx: Matrix; gainTerms: Matrix } {
  expectShape("rmsNormBackward() dy", dy, x.rows, x.cols);
  const dx = device.matrix(x.rows, x.cols);
  const gainTerms = device.matrix(x.rows, x.cols);
  device.run(backwardKernel, {
    inputs: [x, gain, dy],
    outputs: [dx, gainTerms],
    ...dispatchOf(x, gain, eps, segments),
  });
  return { dx, gainTerms };
}

function dispatchOf(x: Matrix, gain: Matrix, eps: number, segments: number) {
  const width = x.cols / segments;
  expectShape("rmsNorm() gain", gain, 1, width);
  if (segments > 1 && width % 4 !== 0) {
    throw new RangeError(`rmsNorm() segments are ${width} wide: expected a multiple of 4`);
  }
  return {
    u32: [x.rows, segments, groupsOf(width)],
    f32: [width, eps],
    invocations: [x.rows, segments] as const,
  };
}

interface Attributes {
  eps: number;
  segments: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "rmsNorm",
  cases: () =>
    [[5, 12, 1], [3, 7, 1], [70, 33, 1], [6, 24, 3]].map(([rows, cols, segments]) => {
      const next = noise(rows * cols);
      return {
        name: `(${rows}, ${cols}) in ${segments}`,
        inputs: {
          // The second row is empty: eps alone must keep it finite.
          x: matrixOf(rows, cols, (row) => row === 1 ? 0 : next()),
          gain: matrixOf(1, cols / segments, next),
        },
        attributes: { eps: 1e-3, segments },
      };
    }),
  reference: ({ x, gain }, { eps, segments }) => {
    const width = x.cols / segments;
    const y = new Float64Array(x.data.length);
    for (let start = 0; start < y.length; start += width) {
      let squares = 0;
      for (let c = 0; c < width; c++) squares += x.data[start + c] ** 2;
      const rms = Math.sqrt(squares / width + eps);
      for (let c = 0; c < width; c++) y[start + c] = x.data[start + c] * gain.data[c] / rms;
    }
    return { y: { ...x, data: y } };
  },
  forward: (device, inputs, { eps, segments }) => ({
    y: rmsNorm(device, inputs.x as Matrix, inputs.gain as Matrix, eps, segments),
  }),
  backward: (device, inputs, _outputs, gradients, { eps, segments }) => {
    const { x, gain } = inputs as Record<string, Matrix>;
    const { dx } = rmsNormBackward(device, x, gain, gradients.y as Matrix, eps, segments);
    return { x: dx };
  },
};

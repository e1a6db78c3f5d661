import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectShape, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./rms_norm.wgsl" with { type: "text" };

const common = { label: "kernels/norm/rms_norm.wgsl", code, flats: [], workgroup: [64] as const };
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

export const spec: KernelSpec<{ eps: number }> = {
  name: "rmsNorm",
  cases: () =>
    [[5, 12], [3, 7], [70, 33]].map(([rows, cols]) => {
      const next = noise(rows * cols);
      return {
        name: `(${rows}, ${cols})`,
        // The second row is empty: eps alone must keep it finite.
        inputs: { x: matrixOf(rows, cols, (row) => row === 1 ? 0 : next()), gain: matrixOf(1, cols, next) },
        attributes: { eps: 1e-3 },
      };
    }),
  reference: ({ x, gain }, { eps }) => {
    const y = new Float64Array(x.data.length);
    for (let start = 0; start < y.length; start += x.cols) {
      let squares = 0;
      for (let c = 0; c < x.cols; c++) squares += x.data[start + c] ** 2;
      const rms = Math.sqrt(squares / x.cols + eps);
      for (let c = 0; c < x.cols; c++) y[start + c] = x.data[start + c] * gain.data[c] / rms;
    }
    return { y: { ...x, data: y } };
  },
  forward: (device, { x, gain }, { eps }) => ({ y: rmsNorm(device, x as Matrix, gain as Matrix, eps) }),
  backward: (device, { x, gain }, _outputs, { y }, { eps }) => ({
    x: rmsNormBackward(device, x as Matrix, gain as Matrix, y as Matrix, eps).dx,
  }),
};

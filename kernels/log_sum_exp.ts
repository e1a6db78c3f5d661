import type { Device } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import { type KernelSpec, matrixOf, noise } from "./spec.ts";
import { expectShape, groupsOf, type Matrix } from "./tensor.ts";
import code from "./log_sum_exp.wgsl" with { type: "text" };

const common = { label: "kernels/log_sum_exp.wgsl", code, outputs: 1, flats: [] };
const forwardKernel: Kernel = { ...common, entry: "log_sum_exp", inputs: 1, workgroup: [8] };
const backwardKernel: Kernel = { ...common, entry: "log_sum_exp_backward", inputs: 3, workgroup: [16, 8] };

/** Logarithm of the sum of exponentials of each row. x (R, V), V from 1 -> (R, 1). */
export function logSumExp(device: Device, x: Matrix): Matrix {
  const y = device.matrix(x.rows, 1);
  device.run(forwardKernel, { inputs: [x], outputs: [y], u32: [x.rows, x.cols], invocations: [x.rows] });
  return y;
}

/** x (R, V), y (R, 1) of {@link logSumExp}, dy (R, 1) -> dx (R, V). */
export function logSumExpBackward(device: Device, x: Matrix, y: Matrix, dy: Matrix): Matrix {
  expectShape("logSumExpBackward() y", y, x.rows, 1);
  expectShape("logSumExpBackward() dy", dy, x.rows, 1);
  const dx = device.matrix(x.rows, x.cols);
  device.run(backwardKernel, {
    inputs: [x, y, dy],
    outputs: [dx],
    u32: [x.rows, x.cols],
    invocations: [groupsOf(x.cols), x.rows],
  });
  return dx;
}

export const spec: KernelSpec = {
  name: "logSumExp",
  cases: () =>
    [[1, 1], [5, 12], [3, 7], [17, 130]].map(([rows, cols]) => {
      const next = noise(rows * cols);
      return {
        name: `(${rows}, ${cols})`,
        // The second row is far below 0: without the maximum taken out, every exponential would vanish.
        inputs: { x: matrixOf(rows, cols, (row) => 3 * next() - (row === 1 ? 300 : 0)) },
        attributes: undefined,
      };
    }),
  reference: ({ x }) => {
    const data = new Float64Array(x.rows);
    for (let row = 0; row < x.rows; row++) {
      const values = x.data.subarray(row * x.cols, (row + 1) * x.cols);
      const top = Math.max(...values);
      data[row] = top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
    }
    return { y: { kind: "matrix", rows: x.rows, cols: 1, data } };
  },
  forward: (device, { x }) => ({ y: logSumExp(device, x as Matrix) }),
  backward: (device, { x }, outputs, { y }) => ({
    x: logSumExpBackward(device, x as Matrix, outputs.y as Matrix, y as Matrix),
  }),
};

import { columnSum } from "../reduce/column_sum.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { groupsOf, type Matrix } from "../gpu/tensor.ts";
import { addRmsNorm, addRmsNormBackward } from "./add_rms.ts";

interface Attributes {
  eps: number;
  /** Whether the sum itself is used: without, dSum is absent. */
  residual: boolean;
}

export const spec: KernelSpec<Attributes> = {
  name: "addRmsNorm",
  cases: () =>
    [[1, 4], [5, 7], [70, 33], [3, 64]].map(([rows, cols], i) => {
      const next = noise(rows * cols);
      return {
        name: `(${rows}, ${cols})`,
        inputs: {
          // The second row is empty: eps alone must keep it finite.
          x: matrixOf(rows, cols, (row) => row === 1 ? 0 : next()),
          y: matrixOf(rows, cols, (row) => row === 1 ? 0 : next()),
          gain: matrixOf(1, cols, next),
        },
        attributes: { eps: 1e-3, residual: i % 2 === 1 },
      };
    }),
  reference: ({ x, y, gain }, { eps, residual }) => {
    const sum = x.data.map((value, i) => value + y.data[i]);
    const normed = new Float64Array(sum.length);
    for (let start = 0; start < sum.length; start += x.cols) {
      let squares = 0;
      for (let c = 0; c < x.cols; c++) squares += sum[start + c] ** 2;
      const rms = Math.sqrt(squares / x.cols + eps);
      for (let c = 0; c < x.cols; c++) normed[start + c] = sum[start + c] * gain.data[c] / rms;
    }
    return { ...(residual ? { sum: { ...x, data: sum } } : {}), normed: { ...x, data: normed } };
  },
  forward: (device, inputs, { eps }) => {
    const { x, y, gain } = inputs as Record<string, Matrix>;
    return addRmsNorm(device, x, y, gain, eps);
  },
  backward: (device, inputs, outputs, gradients, { eps }) => {
    const gain = inputs.gain as Matrix;
    const { dx, gainTerms } = addRmsNormBackward(
      device,
      outputs.sum as Matrix,
      gain,
      gradients.normed as Matrix,
      gradients.sum as Matrix | undefined,
      eps,
    );
    const dGain = device.createFlat("f32", groupsOf(gain.cols) * 4);
    columnSum(device, gainTerms, dGain, false);
    return { x: dx, y: dx, gain: dGain };
  },
};

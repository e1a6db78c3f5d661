import { columnSum } from "../reduce/column_sum.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { groupsOf, type Matrix } from "../gpu/tensor.ts";
import { layerNorm, layerNormBackward } from "./layer.ts";

export const spec: KernelSpec<{ eps: number }> = {
  name: "layerNorm",
  cases: () =>
    [[5, 12], [3, 7], [70, 33], [2, 1]].map(([rows, cols]) => {
      const next = noise(rows * cols);
      return {
        name: `(${rows}, ${cols})`,
        inputs: {
          // The second row is constant: eps alone must keep it finite. The first is far from 0.
          x: matrixOf(rows, cols, (row) => row === 1 ? 3 : row === 0 ? 20 + next() : next()),
          gain: matrixOf(1, cols, next),
          bias: matrixOf(1, cols, next),
        },
        attributes: { eps: 1e-2 },
      };
    }),
  reference: ({ x, gain, bias }, { eps }) => {
    const y = new Float64Array(x.data.length);
    for (let start = 0; start < y.length; start += x.cols) {
      let mean = 0;
      for (let c = 0; c < x.cols; c++) mean += x.data[start + c] / x.cols;
      let variance = 0;
      for (let c = 0; c < x.cols; c++) variance += (x.data[start + c] - mean) ** 2 / x.cols;
      for (let c = 0; c < x.cols; c++) {
        y[start + c] = (x.data[start + c] - mean) / Math.sqrt(variance + eps) * gain.data[c] + bias.data[c];
      }
    }
    return { y: { ...x, data: y } };
  },
  forward: (device, inputs, { eps }) => {
    const { x, gain, bias } = inputs as Record<string, Matrix>;
    return { y: layerNorm(device, x, gain, bias, eps) };
  },
  backward: (device, inputs, _outputs, gradients, { eps }) => {
    const { x, gain } = inputs as Record<string, Matrix>;
    const dy = gradients.y as Matrix;
    const { dx, gainTerms } = layerNormBackward(device, x, gain, dy, eps);
    const [dGain, dBias] = [gainTerms, dy].map((terms) => {
      const sums = device.createFlat("f32", groupsOf(x.cols) * 4);
      columnSum(device, terms, sums, false);
      return sums;
    });
    return { x: dx, gain: dGain, bias: dBias };
  },
};

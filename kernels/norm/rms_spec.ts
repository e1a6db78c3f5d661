import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { groupsOf, type Matrix } from "../gpu/tensor.ts";
import { rmsNorm, rmsNormBackward } from "./rms.ts";

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
    x: rmsNormBackward(device, x as Matrix, gain as Matrix, y as Matrix, undefined, eps),
  }),
};

/** RMSNorm again, for the gradient of its gain: summed over rows. */
export const rmsNormGainSpec: typeof spec = {
  ...spec,
  name: "rmsNorm gain",
  backward: (device, inputs, _outputs, gradients, { eps }) => {
    const { x, gain } = inputs as Record<string, Matrix>;
    const dGain = device.createFlat("f32", groupsOf(gain.cols) * 4);
    rmsNormBackward(device, x, gain, gradients.y as Matrix, dGain, eps);
    return { gain: dGain };
  },
};

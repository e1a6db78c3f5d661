import { type KernelSpec, matrixOf, noise } from "../../gpu/spec.ts";
import { type Flat, groupsOf, type Matrix } from "../../gpu/tensor.ts";
import { dropFactor } from "../../random/dropout_spec.ts";
import { testSeed } from "../../random/philox_spec.ts";
import { addRmsNorm, addRmsNormBackward } from "./add_rms.ts";

interface Attributes {
  eps: number;
  /** Whether the sum itself is used: without, dSum is absent. */
  residual: boolean;
  /** Of y; undefined: none. */
  rate?: number;
}

const STREAM = 3;

export const spec: KernelSpec<Attributes> = {
  name: "addRmsNorm",
  cases: () =>
    ([
      [1, 4],
      [5, 7, 0.1],
      [5, 7],
      [70, 33],
      [3, 64],
      [1, 4, 0.5],
      [70, 33, 0.5],
      [3, 64, 0.9],
      [66, 100, 0],
      [2, 37, 0.3],
    ] as [rows: number, cols: number, rate?: number][]).map(([rows, cols, rate], i) => {
      const next = noise(rows * cols);
      return {
        name: `(${rows}, ${cols})${rate === undefined ? "" : `, dropped at ${rate}`}`,
        inputs: {
          // The second row is empty: eps alone must keep it finite.
          x: matrixOf(rows, cols, (row) => row === 1 ? 0 : next()),
          y: matrixOf(rows, cols, (row) => row === 1 ? 0 : next()),
          gain: matrixOf(1, cols, next),
          seed: testSeed(cols),
        },
        attributes: { eps: 1e-3, residual: i % 2 === 1, rate },
      };
    }),
  reference: ({ x, y, gain, seed }, { eps, residual, rate }) => {
    const factor = (i: number) =>
      rate === undefined ? 1 : dropFactor(x, i, seed.data, { stream: STREAM, rate });
    const sum = x.data.map((value, i) => value + y.data[i] * factor(i));
    const normed = new Float64Array(sum.length);
    for (let start = 0; start < sum.length; start += x.cols) {
      let squares = 0;
      for (let c = 0; c < x.cols; c++) squares += sum[start + c] ** 2;
      const rms = Math.sqrt(squares / x.cols + eps);
      for (let c = 0; c < x.cols; c++) normed[start + c] = sum[start + c] * gain.data[c] / rms;
    }
    return { ...(residual ? { sum: { ...x, data: sum } } : {}), normed: { ...x, data: normed } };
  },
  forward: (device, inputs, { eps, rate }) => {
    const { x, y, gain } = inputs as Record<string, Matrix>;
    const dropped = rate === undefined ? undefined : { seed: inputs.seed as Flat, stream: STREAM, rate };
    const { sum, normed, kept } = addRmsNorm(device, x, y, gain, eps, dropped);
    return { sum, normed, ...kept && { bits: kept.bits } };
  },
  backward: (device, inputs, outputs, gradients, { eps, rate }) => {
    const gain = inputs.gain as Matrix;
    const dGain = device.createFlat("f32", groupsOf(gain.cols) * 4);
    const { dx, dy } = addRmsNormBackward(
      device,
      {
        sum: outputs.sum as Matrix,
        kept: rate === undefined ? undefined : { bits: outputs.bits as Flat, rate },
      },
      gain,
      gradients.normed as Matrix,
      gradients.sum as Matrix | undefined,
      dGain,
      eps,
    );
    return { x: dx, y: dy, gain: dGain };
  },
};

import { packedLayout } from "./window_spec.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { gru, gruBackward, gruWeightGradients, type PackedSequences } from "./gru.ts";

export const spec: KernelSpec = {
  name: "gru",
  cases: () =>
    [
      { lengths: [4, 1, 6], unused: 2, width: 8 },
      { lengths: [3, 2], unused: 0, width: 20 },
      { lengths: [2], unused: 1, width: 260 },
    ].map(({ lengths, unused, width }) => {
      const { rows, positions, viewers } = packedLayout(lengths, unused);
      const next = noise(rows * width);
      return {
        name: `${width} wide, sequences of ${lengths}`,
        inputs: {
          gates: matrixOf(rows, 3 * width, next),
          weight: matrixOf(3 * width, width, () => next() / Math.sqrt(width)),
          bias: matrixOf(1, 3 * width, next),
          positions,
          viewers,
        },
        attributes: undefined,
      };
    }),
  reference: ({ gates, weight, bias, positions, viewers }) => {
    const width = weight.cols;
    const h = new Float64Array(gates.rows * width);
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    for (let row = 0; row < gates.rows; row++) {
      if (viewers.data[2 * row + 1] === 0) continue;
      const from = positions.data[row] === 0 ? undefined : (row - 1) * width;
      const before = (c: number) => from === undefined ? 0 : h[from + c];
      for (let c = 0; c < width; c++) {
        const [r, z, n] = [0, 1, 2].map((gate) => {
          const unit = gate * width + c;
          let inner = bias.data[unit];
          for (let k = 0; k < width; k++) inner += weight.data[unit * width + k] * before(k);
          return { x: gates.data[row * 3 * width + unit], inner };
        });
        const update = sigmoid(z.x + z.inner);
        const candidate = Math.tanh(n.x + sigmoid(r.x + r.inner) * n.inner);
        h[row * width + c] = (1 - update) * candidate + update * before(c);
      }
    }
    return { h: { kind: "matrix", rows: gates.rows, cols: width, data: h } };
  },
  forward: (device, inputs) => {
    const { gates, weight, bias } = inputs as Record<string, Matrix>;
    return { h: gru(device, gates, weight, bias, inputs as unknown as PackedSequences).h };
  },
  backward: (device, inputs, _outputs, { h: dh }) => {
    const { gates, weight, bias } = inputs as Record<string, Matrix>;
    const sequences = inputs as unknown as PackedSequences;
    const made = gru(device, gates, weight, bias, sequences);
    const { gates: dGates, inner } = gruBackward(device, made, dh as Matrix, weight, sequences);
    const dWeight = device.createFlat("f32", weight.rows * weight.cols);
    const dBias = device.createFlat("f32", bias.cols);
    gruWeightGradients(device, made.h, inner, sequences, dWeight, dBias);
    return { gates: dGates, weight: dWeight, bias: dBias };
  },
};

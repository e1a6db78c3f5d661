import type { PackedSequences } from "../sequence/gru.ts";
import { packedLayout } from "../sequence/window_spec.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { pointwiseAttention, pointwiseAttentionBackward } from "./pointwise_attention.ts";

export const spec: KernelSpec<{ scale: number }> = {
  name: "pointwiseAttention",
  cases: () =>
    [
      { lengths: [5, 1, 7], unused: 0, heads: 2, headDim: 8, lags: 8 },
      { lengths: [3, 9], unused: 2, heads: 1, headDim: 20, lags: 12 },
    ].map(({ lengths, unused, heads, headDim, lags }) => {
      const { rows, positions, viewers } = packedLayout(lengths, unused);
      const next = noise(rows * headDim);
      return {
        name: `${heads} heads of ${headDim}, sequences of ${lengths}`,
        inputs: {
          qkv: matrixOf(rows, 3 * heads * headDim, () => next() / Math.sqrt(headDim)),
          bias: matrixOf(heads, lags, next),
          positions,
          viewers,
        },
        attributes: { scale: 0.3 },
      };
    }),
  reference: ({ qkv, bias, positions, viewers }, { scale }) => {
    const width = qkv.cols / 3;
    const headDim = width / bias.rows;
    const o = new Float64Array(qkv.rows * width);
    const at = (row: number, part: number, c: number) => qkv.data[row * qkv.cols + part * width + c];
    for (let row = 0; row < qkv.rows; row++) {
      if (viewers.data[2 * row + 1] === 0) continue;
      for (let head = 0; head < bias.rows; head++) {
        for (let lag = 0; lag <= positions.data[row]; lag++) {
          let score = bias.data[head * bias.cols + lag];
          for (let c = head * headDim; c < (head + 1) * headDim; c++) {
            score += at(row, 0, c) * at(row - lag, 1, c);
          }
          const weight = scale * score / (1 + Math.exp(-score));
          for (let c = head * headDim; c < (head + 1) * headDim; c++) {
            o[row * width + c] += weight * at(row - lag, 2, c);
          }
        }
      }
    }
    return { o: { kind: "matrix", rows: qkv.rows, cols: width, data: o } };
  },
  forward: (device, inputs, { scale }) => {
    const { qkv, bias } = inputs as Record<string, Matrix>;
    return { o: pointwiseAttention(device, qkv, bias, inputs as unknown as PackedSequences, scale) };
  },
  backward: (device, inputs, _outputs, { o }, { scale }) => {
    const { qkv, bias } = inputs as Record<string, Matrix>;
    const sequences = inputs as unknown as PackedSequences;
    const gradient = device.createFlat("f32", bias.rows * bias.cols);
    const dQkv = pointwiseAttentionBackward(device, qkv, bias, o as Matrix, gradient, sequences, scale);
    return { qkv: dQkv, bias: gradient };
  },
};

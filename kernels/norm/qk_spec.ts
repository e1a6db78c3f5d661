import type { AttentionShape } from "../attention/attention.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { qkNorm, qkNormBackward } from "./qk.ts";

interface Attributes {
  shape: AttentionShape;
  eps: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "qkNorm",
  cases: () =>
    [{ heads: 1, kvHeads: 1, headDim: 4 }, { heads: 4, kvHeads: 2, headDim: 12 }].map((shape, i) => {
      const next = noise(i);
      const cols = (shape.heads + 2 * shape.kvHeads) * shape.headDim;
      return {
        name: `${shape.heads} heads of ${shape.headDim}`,
        inputs: {
          qkv: matrixOf(37, cols, (row) => row === 1 ? 0 : next()),
          gains: matrixOf(2, shape.headDim, next),
        },
        attributes: { shape, eps: 1e-3 },
      };
    }),
  reference: ({ qkv, gains }, { shape: { heads, kvHeads, headDim }, eps }) => {
    const y = qkv.data.slice();
    for (let row = 0; row < qkv.rows; row++) {
      for (let head = 0; head < heads + kvHeads; head++) {
        const start = row * qkv.cols + head * headDim;
        let squares = 0;
        for (let c = 0; c < headDim; c++) squares += qkv.data[start + c] ** 2;
        const rms = Math.sqrt(squares / headDim + eps);
        const gain = head < heads ? 0 : headDim;
        for (let c = 0; c < headDim; c++) y[start + c] = qkv.data[start + c] * gains.data[gain + c] / rms;
      }
    }
    return { y: { ...qkv, data: y } };
  },
  forward: (device, { qkv, gains }, { shape, eps }) => ({
    y: qkNorm(device, qkv as Matrix, gains as Matrix, shape, eps),
  }),
  backward: (device, { qkv, gains }, _outputs, { y }, { shape, eps }) => {
    const gradient = device.createFlat("f32", 2 * shape.headDim);
    const dQkv = qkNormBackward(device, qkv as Matrix, gains as Matrix, y as Matrix, gradient, shape, eps);
    return { qkv: dQkv, gains: gradient };
  },
};

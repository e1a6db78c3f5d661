import { flatOf, type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { vectorQuantize } from "./vector_quantize.ts";

export const spec: KernelSpec = {
  name: "vectorQuantize",
  cases: () =>
    [[1, 1, 1], [9, 7, 4], [40, 32, 256], [33, 18, 5]].map(([rows, cols, codewords]) => {
      const next = noise(rows + cols);
      return {
        name: `(${rows}, ${cols}) with ${codewords} codewords`,
        inputs: {
          residual: matrixOf(rows, cols, next),
          codebook: matrixOf(codewords, cols, next),
          sum: matrixOf(rows, cols, next),
          labels: flatOf("u32", Array.from({ length: rows }, (_, row) => (row * 7 + 3) % codewords)),
        },
        attributes: undefined,
      };
    }),
  reference: ({ residual, codebook, sum, labels }) => {
    const codeword = (i: number) =>
      codebook.data[labels.data[Math.floor(i / residual.cols)] * residual.cols + i % residual.cols];
    return {
      residual: { ...residual, data: residual.data.map((value, i) => value - codeword(i)) },
      first: { ...residual, data: residual.data.map((_, i) => codeword(i)) },
      added: { ...sum, data: sum.data.map((value, i) => value + codeword(i)) },
    };
  },
  forward: (device, inputs) => {
    const { residual, codebook, sum } = inputs as Record<string, Matrix>;
    const labels = inputs.labels as Flat;
    const first = vectorQuantize(device, residual, codebook, labels);
    const added = vectorQuantize(device, residual, codebook, labels, sum);
    return { residual: added.residual, first: first.sum, added: added.sum };
  },
};

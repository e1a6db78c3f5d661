import { scale } from "../elementwise/add.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { sampledBce, sampledBceBackward } from "./sampled_bce.ts";

export const spec: KernelSpec<{ weight: number }> = {
  name: "sampledBce",
  cases: () =>
    [[1, 1, 1], [7, 13, 0.25], [70, 32, 1], [0, 4, 1]].map(([rows, cols, weight]) => {
      const next = noise(rows + cols);
      return {
        name: `(${rows}, ${cols})`,
        inputs: {
          // Scores of row 2 are in the hundreds, where a careless exponential overflows.
          hidden: matrixOf(rows, cols, (row) => (row === 2 ? 60 : 1) * next()),
          items: matrixOf(2 * rows, cols, next),
        },
        attributes: { weight },
      };
    }),
  reference: ({ hidden, items }, { weight }) => {
    const { rows, cols } = hidden;
    const rowLoss = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      for (const [from, sign] of [[row, -1], [rows + row, 1]]) {
        let score = 0;
        for (let c = 0; c < cols; c++) score += hidden.data[row * cols + c] * items.data[from * cols + c];
        const x = sign * score;
        rowLoss[row] += weight / 2 * (Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))));
      }
    }
    return { rowLoss: { kind: "f32", rows: 1, cols: rows, data: rowLoss } };
  },
  forward: (device, inputs, { weight }) => {
    const { hidden, items } = inputs as Record<string, Matrix>;
    const weights = device.createFlat("f32", new Float32Array(hidden.rows).fill(weight));
    const rowLoss = device.createFlat("f32", hidden.rows);
    sampledBce(device, hidden, items, weights, rowLoss);
    return { rowLoss };
  },
  backward: (device, inputs, _outputs, { rowLoss }, { weight }) => {
    const { hidden, items } = inputs as Record<string, Matrix>;
    const { dHidden, dItems } = sampledBceBackward(device, hidden, items, rowLoss as Flat);
    return { hidden: scale(device, dHidden, weight), items: scale(device, dItems, weight) };
  },
};

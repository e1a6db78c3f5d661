import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { logSumExp, logSumExpBackward } from "./log_sum_exp.ts";

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

/** The sum over columns that come in two chunks. */
export const chunksSpec: KernelSpec = {
  name: "logSumExp in chunks",
  cases: () =>
    [[1, 1, 1], [5, 12, 3], [9, 8, 30]].map(([rows, left, right]) => {
      const next = noise(rows);
      // Chunks may be far apart in either direction.
      const chunk = (cols: number, shift: number) =>
        matrixOf(rows, cols, (row) => 3 * next() + (row % 3) * shift);
      return {
        name: `(${rows}, ${left} + ${right})`,
        inputs: { left: chunk(left, 100), right: chunk(right, -100) },
        attributes: undefined,
      };
    }),
  reference: ({ left, right }) => {
    const data = Float64Array.from({ length: left.rows }, (_, row) => {
      const all = [left, right].flatMap(({ data, cols }) => [...data.subarray(row * cols, (row + 1) * cols)]);
      const top = Math.max(...all);
      return top + Math.log(all.reduce((sum, value) => sum + Math.exp(value - top), 0));
    });
    return { y: { kind: "matrix", rows: left.rows, cols: 1, data } };
  },
  forward: (device, { left, right }) => ({
    y: logSumExp(device, right as Matrix, logSumExp(device, left as Matrix)),
  }),
};

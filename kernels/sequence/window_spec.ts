import { flatOf, type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { windowRows, windowRowsBackward, type WindowShape } from "./window.ts";

export const spec: KernelSpec<WindowShape> = {
  name: "windowRows",
  cases: () =>
    [
      { lengths: [3, 1, 6], unused: 2, width: 8, count: 4, nearest: 0 },
      { lengths: [5, 2], unused: 0, width: 20, count: 1, nearest: 1 },
      { lengths: [9], unused: 1, width: 4, count: 3, nearest: 2 },
    ].map(({ lengths, unused, width, count, nearest }) => {
      const { rows, positions } = packedLayout(lengths, unused);
      return {
        name: `${count} rows up to lag ${nearest} of (${rows}, ${width})`,
        inputs: { x: matrixOf(rows, width, noise(rows * count)), positions },
        attributes: { count, nearest },
      };
    }),
  reference: ({ x, positions }, { count, nearest }) => {
    const cols = count * x.cols;
    const data = new Float64Array(x.rows * cols);
    for (let row = 0; row < x.rows; row++) {
      for (let slot = 0; slot < count; slot++) {
        const lag = nearest + count - 1 - slot;
        if (lag > positions.data[row]) continue;
        for (let c = 0; c < x.cols; c++) {
          data[row * cols + slot * x.cols + c] = x.data[(row - lag) * x.cols + c];
        }
      }
    }
    return { y: { kind: "matrix", rows: x.rows, cols, data } };
  },
  forward: (device, { x, positions }, shape) => ({
    y: windowRows(device, x as Matrix, positions as Flat, shape),
  }),
  backward: (device, { positions }, _outputs, { y }, shape) => ({
    x: windowRowsBackward(device, y as Matrix, positions as Flat, shape),
  }),
};

/** Layout of packed sequences of these lengths for tests, with rows at the end that belong to none. */
export function packedLayout(lengths: readonly number[], unused: number) {
  const positions: number[] = [];
  const viewers: number[] = [];
  for (const length of lengths) {
    const end = positions.length + length;
    for (let at = 0; at < length; at++) {
      viewers.push(positions.length, end);
      positions.push(at);
    }
  }
  for (let i = 0; i < unused; i++) {
    positions.push(0);
    viewers.push(0, 0);
  }
  const rows = positions.length;
  return { rows, positions: flatOf("u32", positions), viewers: flatOf("u32", viewers) };
}

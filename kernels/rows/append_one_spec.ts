import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { appendOne, appendOneBackward } from "./append_one.ts";

export const spec: KernelSpec = {
  name: "appendOne",
  cases: () =>
    [[1, 1], [9, 7], [0, 4], [17, 64]].map(([rows, cols]) => ({
      name: `(${rows}, ${cols})`,
      inputs: { x: matrixOf(rows, cols, noise(rows + cols)) },
      attributes: undefined,
    })),
  reference: ({ x }) => {
    const { rows, cols } = x;
    const data = new Float64Array(rows * (cols + 1));
    for (let row = 0; row < rows; row++) {
      data.set(x.data.subarray(row * cols, (row + 1) * cols), row * (cols + 1));
      data[row * (cols + 1) + cols] = 1;
    }
    return { y: { kind: "matrix", rows, cols: cols + 1, data } };
  },
  forward: (device, { x }) => ({ y: appendOne(device, x as Matrix) }),
  backward: (device, _inputs, _outputs, { y }) => ({ x: appendOneBackward(device, y as Matrix) }),
};

import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { multiply } from "./multiply.ts";

export const spec: KernelSpec = {
  name: "multiply",
  cases: () =>
    [[1, 1], [9, 7], [0, 4], [17, 68]].map(([rows, cols]) => ({
      name: `(${rows}, ${cols})`,
      inputs: { x: matrixOf(rows, cols, noise(rows)), y: matrixOf(rows, cols, noise(cols)) },
      attributes: undefined,
    })),
  reference: ({ x, y }) => ({ out: { ...x, data: x.data.map((value, i) => value * y.data[i]) } }),
  forward: (device, { x, y }) => ({ out: multiply(device, x as Matrix, y as Matrix) }),
  backward: (device, { x, y }, _outputs, { out }) => ({
    x: multiply(device, out as Matrix, y as Matrix),
    y: multiply(device, out as Matrix, x as Matrix),
  }),
};

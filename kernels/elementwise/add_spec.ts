import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { add, scale } from "./add.ts";

const SHAPES = [[1, 1], [9, 7], [0, 4], [17, 68]];

export const addSpec: KernelSpec = {
  name: "add",
  cases: () =>
    SHAPES.map(([rows, cols]) => ({
      name: `(${rows}, ${cols})`,
      inputs: { x: matrixOf(rows, cols, noise(rows)), y: matrixOf(rows, cols, noise(cols)) },
      attributes: undefined,
    })),
  reference: ({ x, y }) => ({ sum: { ...x, data: x.data.map((value, i) => value + y.data[i]) } }),
  forward: (device, { x, y }) => ({ sum: add(device, x as Matrix, y as Matrix) }),
  backward: (_device, _inputs, _outputs, { sum }) => ({ x: sum, y: sum }),
};

export const scaleSpec: KernelSpec<{ factor: number }> = {
  name: "scale",
  cases: () =>
    SHAPES.map(([rows, cols], i) => ({
      name: `(${rows}, ${cols})`,
      inputs: { x: matrixOf(rows, cols, noise(rows)) },
      attributes: { factor: [0.5, -3, 1, 0][i] },
    })),
  reference: ({ x }, { factor }) => ({ y: { ...x, data: x.data.map((value) => value * factor) } }),
  forward: (device, { x }, { factor }) => ({ y: scale(device, x as Matrix, factor) }),
  backward: (device, _inputs, _outputs, { y }, { factor }) => ({ x: scale(device, y as Matrix, factor) }),
};

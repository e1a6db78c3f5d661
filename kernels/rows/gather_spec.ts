import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { gatherRows, NO_ROW } from "./gather.ts";

interface Attributes {
  index: number[];
}

export const spec: KernelSpec<Attributes> = {
  name: "gatherRows",
  cases: () =>
    [
      { rows: 5, cols: 6, index: [4, NO_ROW, 0, 5, 2] },
      { rows: 1, cols: 1, index: [0] },
      { rows: 40, cols: 17, index: [39, 3, 17] },
    ].map(({ rows, cols, index }) => ({
      name: `(${rows}, ${cols}) by ${index}`,
      inputs: { x: matrixOf(rows, cols, noise(rows * cols)) },
      attributes: { index },
    })),
  reference: ({ x }, { index }) => {
    const data = new Float64Array(index.length * x.cols);
    index.forEach((from, r) => {
      if (from >= x.rows) return;
      for (let c = 0; c < x.cols; c++) data[r * x.cols + c] = x.data[from * x.cols + c];
    });
    return { y: { kind: "matrix", rows: index.length, cols: x.cols, data } };
  },
  forward: (device, { x }, { index }) => ({
    y: gatherRows(device, x as Matrix, device.createFlat("u32", Uint32Array.from(index)), index.length),
  }),
  backward: (device, { x }, _outputs, { y }, { index }) => {
    const inverse = Uint32Array.from({ length: (x as Matrix).rows }, (_, n) => index.indexOf(n));
    const flat = device.createFlat("u32", inverse); // -1 wraps to NO_ROW
    return { x: gatherRows(device, y as Matrix, flat, (x as Matrix).rows) };
  },
};

import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { type Flat, groupsOf } from "../gpu/tensor.ts";
import { refresh } from "./refresh.ts";

interface Attributes {
  rows: number;
  cols: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "refresh",
  cases: () =>
    [[1, 1], [4, 4], [5, 7], [33, 18], [2, 70]].map(([rows, cols]) => {
      const next = noise(rows + cols);
      const stride = groupsOf(cols) * 4;
      // Garbage in the padding of the flat array must not reach a matrix.
      const { data } = matrixOf(rows, stride, next);
      return {
        name: `(${rows}, ${cols})`,
        inputs: { flat: { kind: "f32", rows: 1, cols: data.length, data } },
        attributes: { rows, cols },
      };
    }),
  reference: ({ flat }, { rows, cols }) => {
    const stride = groupsOf(cols) * 4;
    const matrix = matrixOf(rows, cols, (row, col) => flat.data[row * stride + col]);
    const transposed = matrixOf(cols, rows, (row, col) => flat.data[col * stride + row]);
    return { matrix, transposed, alone: matrix, aloneTransposed: transposed };
  },
  forward: (device, { flat }, { rows, cols }) => {
    const twins = [device.matrix(rows, cols), device.matrix(cols, rows)];
    const alone = [device.matrix(rows, cols), device.matrix(cols, rows)];
    refresh(device, flat as Flat, rows, cols, twins[0], twins[1]);
    refresh(device, flat as Flat, rows, cols, alone[0], undefined);
    refresh(device, flat as Flat, rows, cols, undefined, alone[1]);
    return { matrix: twins[0], transposed: twins[1], alone: alone[0], aloneTransposed: alone[1] };
  },
};

import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { rowSlices } from "../reduce/slices.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./refresh.wgsl" with { type: "text" };

const shared = {
  label: "kernels/rows/refresh.wgsl",
  code,
  inputs: 0,
  flats: ["read"],
  workgroup: [16, 8],
} as const;
const matrixKernel: Kernel = { ...shared, entry: "refresh_matrix", outputs: 1 };
const transposedKernel: Kernel = { ...shared, entry: "refresh_transposed", outputs: 1 };
const bothKernel: Kernel = { ...shared, entry: "refresh_both", outputs: 2 };

/**
 * Copies a parameter to the matrices that products read it from. flat f32 (rows, cols), rows of whole groups of four
 * -> matrix (rows, cols) and transposed (cols, rows), either of which may be absent.
 */
export function refresh(
  device: Device,
  flat: Flat,
  rows: number,
  cols: number,
  matrix: Matrix | undefined,
  transposed: Matrix | undefined,
): void {
  const groups = groupsOf(cols);
  expectLength("refresh() flat", flat, "f32", rows * groups * 4);
  if (matrix) expectShape("refresh() matrix", matrix, rows, cols);
  if (transposed) expectShape("refresh() transposed", transposed, cols, rows);
  const outputs = [matrix, transposed].filter((twin) => twin !== undefined);
  if (outputs.length === 0) return;
  const kernel = matrix && transposed ? bothKernel : matrix ? matrixKernel : transposedKernel;
  for (const slice of rowSlices(device, flat, rows, groups * 4, 4)) {
    device.run(kernel, {
      outputs,
      flats: [slice.flat],
      u32: [slice.first, slice.rows, cols],
      invocations: [groups, Math.ceil(slice.rows / 4)],
    });
  }
}

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

import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import type { Matrix } from "../gpu/tensor.ts";
import { PIECE, sparseMatmul, type SparseRows, transposeSparse, uploadSparse } from "./sparse.ts";

export const spec: KernelSpec<{ a: SparseRows; most?: number }> = {
  name: "sparseMatmul",
  cases: () =>
    [
      { lengths: [1], cols: 1, width: 1 },
      { lengths: [0, 3, 0, 7, 1, 0], cols: 9, width: 6 },
      { lengths: [0, 3, 0, 7, 1, 5, 0], cols: 9, width: 5, most: 8 },
      // One row in two pieces, one in many, one that just fits.
      { lengths: [2, PIECE + 1, 0, 5 * PIECE + 3, PIECE], cols: 5 * PIECE + 3, width: 17 },
    ].map(({ lengths, cols, width, most }) => ({
      name: `rows of ${lengths} by (${cols}, ${width})${most ? `, ${most} a block` : ""}`,
      inputs: { b: matrixOf(cols, width, noise(cols)) },
      attributes: { a: testRows(lengths, cols), most },
    })),
  reference: ({ b }, { a }) => {
    const data = new Float64Array(a.rows * b.cols);
    for (let row = 0; row < a.rows; row++) {
      for (let i = a.offsets[row]; i < a.offsets[row + 1]; i++) {
        for (let k = 0; k < b.cols; k++) {
          data[row * b.cols + k] += a.values[i] * b.data[a.columns[i] * b.cols + k];
        }
      }
    }
    return { c: { kind: "matrix", rows: a.rows, cols: b.cols, data } };
  },
  forward: (device, { b }, { a, most }) => ({
    c: sparseMatmul(device, uploadSparse(device, a, most), b as Matrix),
  }),
  backward: (device, _inputs, _outputs, { c }, { a }) => ({
    b: sparseMatmul(device, uploadSparse(device, transposeSparse(a)), c as Matrix),
  }),
};

/** Rows of the given lengths in which each stretch of columns wraps around; small values, so that long sums stay near 1. */
function testRows(lengths: number[], cols: number): SparseRows {
  const next = noise(cols + 1);
  const offsets = Uint32Array.of(0, ...lengths);
  for (let row = 0; row < lengths.length; row++) offsets[row + 1] += offsets[row];
  const columns = lengths.flatMap((length, row) => Array.from({ length }, (_, i) => (i * 2 + row) % cols));
  return {
    rows: lengths.length,
    cols,
    offsets,
    columns: Uint32Array.from(columns),
    values: Float32Array.from(columns, () => next() / 8),
  };
}

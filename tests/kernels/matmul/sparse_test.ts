import assert from "node:assert/strict";
import {
  rowBlocks,
  sparseMatmul,
  type SparseRows,
  transposeSparse,
  uploadSparse,
} from "../../../kernels/matmul/sparse.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import fc from "../../property.ts";

/** Matrices whose rows have 0 to 6 entries in ascending columns. */
const sparse = fc.integer({ min: 1, max: 9 }).chain((cols) =>
  fc.array(fc.uniqueArray(fc.nat(cols - 1), { maxLength: 6 }), { minLength: 1, maxLength: 12 }).map((rows) =>
    fromRows(
      rows.map((row) => row.sort((a, b) => a - b).map((column) => [column, column + row.length / 8])),
      cols,
    )
  )
);

function fromRows(rows: number[][][], cols: number): SparseRows {
  let end = 0;
  return {
    rows: rows.length,
    cols,
    offsets: Uint32Array.from([0, ...rows.map((row) => end += row.length)]),
    columns: Uint32Array.from(rows.flat(), ([column]) => column),
    values: Float32Array.from(rows.flat(), ([, value]) => value),
  };
}

function dense({ rows, cols, offsets, columns, values }: SparseRows): number[][] {
  const table = Array.from({ length: rows }, () => Array(cols).fill(0));
  for (let row = 0; row < rows; row++) {
    for (let i = offsets[row]; i < offsets[row + 1]; i++) table[row][columns[i]] += values[i];
  }
  return table;
}

Deno.test("transposeSparse() turns entry (m, n) to (n, m), and twice gives the matrix back", () => {
  fc.assert(fc.property(sparse, (matrix) => {
    const turned = transposeSparse(matrix);
    const table = dense(matrix);
    assert.deepEqual(
      dense(turned),
      Array.from({ length: matrix.cols }, (_, n) => table.map((row) => row[n])),
    );
    assert.deepEqual(transposeSparse(turned), matrix);
  }));
});

Deno.test("rowBlocks() cuts into blocks of at most so many entries, one row at least, that add up to the matrix", () => {
  fc.assert(fc.property(sparse, fc.integer({ min: 3, max: 12 }), (matrix, most) => {
    const blocks = rowBlocks(matrix, most);
    assert.deepEqual(blocks.flatMap(dense), dense(matrix));
    for (const block of blocks) {
      assert.ok(block.rows === 1 || (block.columns.length <= most && block.offsets.length <= most));
      assert.deepEqual(
        blocks.filter(({ first }) => first < block.first).reduce((sum, { rows }) => sum + rows, 0),
        block.first,
      );
    }
  }));
});

Deno.test("sparseMatmul() refuses a factor of another height and names both shapes", async () => {
  const device = await Device.open();
  const a = uploadSparse(device, fromRows([[[0, 1]], []], 3));
  assert.throws(
    () => sparseMatmul(device, a, device.createMatrix(2, 5)),
    /sparseMatmul\(\) of \(2, 3\) and \(2, 5\): expected a\.cols = b\.rows/,
  );
});

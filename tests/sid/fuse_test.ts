import assert from "node:assert/strict";
import { UserError } from "../../base/user_error.ts";
import { concatenate, normalizeRows, zeroRows } from "../../sid/fuse.ts";

const matrix = (...rows: number[][]) => ({
  data: Float32Array.from(rows.flat()),
  rows: rows.length,
  dim: rows[0].length,
});

Deno.test("concatenate() puts parts side by side, each scaled to its weight", () => {
  const { data, rows, dim } = concatenate([
    { name: "text", embeddings: matrix([3, 4], [0, 2]), weight: 1 },
    { name: "collab", embeddings: matrix([10], [-5]), weight: 0.5 },
  ]);
  assert.deepEqual([rows, dim], [2, 3]);
  assert.deepEqual([...data], [...Float32Array.of(0.6, 0.8, 0.5, 0, 1, -0.5)]);
});

Deno.test("concatenate() leaves the zero vector of an item that nobody bought at zero", () => {
  const { data } = concatenate([
    { name: "text", embeddings: matrix([0, 2]), weight: 1 },
    { name: "collab", embeddings: matrix([0, 0]), weight: 1 },
  ]);
  assert.deepEqual([...data], [0, 1, 0, 0]);
});

Deno.test("concatenate() refuses parts of different catalogues", () => {
  assert.throws(
    () =>
      concatenate([
        { name: "a.npy", embeddings: matrix([1], [2]), weight: 1 },
        { name: "b.npy", embeddings: matrix([1]), weight: 1 },
      ]),
    (error) => error instanceof UserError && /a\.npy and b\.npy: they have 2 and 1 rows/.test(error.message),
  );
});

Deno.test("normalizeRows() gives every row that is not zero one length and does not touch its input", () => {
  const given = matrix([3, 4], [0, 0]);
  assert.deepEqual([...normalizeRows(given, 10).data], [6, 8, 0, 0]);
  assert.deepEqual([...given.data], [3, 4, 0, 0]);
});

Deno.test("zeroRows() lists rows without any number but 0", () => {
  assert.deepEqual(zeroRows(matrix([0, 0], [0, 1e-30], [0, -0])), [0, 2]);
});

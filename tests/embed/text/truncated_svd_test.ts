import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { type SparseRows, transposeSparse } from "../../../kernels/matmul/sparse.ts";
import { symmetricEigen } from "../../../embed/text/symmetric_eigen.ts";
import { type TruncatedSvd, truncatedSvd } from "../../../embed/text/truncated_svd.ts";

const device = await Device.open({ layout: "buffer" });

function fromDense(table: number[][]): SparseRows {
  const entries = table.map((row) => row.flatMap((value, column) => value === 0 ? [] : [[column, value]]));
  let end = 0;
  return {
    rows: table.length,
    cols: table[0].length,
    offsets: Uint32Array.from([0, ...entries.map((row) => end += row.length)]),
    columns: Uint32Array.from(entries.flat(), ([column]) => column),
    values: Float32Array.from(entries.flat(), ([, value]) => value),
  };
}

/** About a third of the entries, between -1 and 1. */
function randomTable(rows: number, cols: number): number[][] {
  const random = new PhiloxStream(7, "test matrix");
  return Array.from(
    { length: rows },
    () =>
      Array.from(
        { length: cols },
        () => random.uniform() < 1 / 3 ? Math.fround(2 * random.uniform() - 1) : 0,
      ),
  );
}

/** V = A^T U S^-1 (N, k); zeros where a singular value is as good as 0. */
function rightVectors(table: number[][], { u, singularValues }: TruncatedSvd): Float64Array {
  const k = singularValues.length;
  return Float64Array.from({ length: table[0].length * k }, (_, at) => {
    const i = at % k;
    if (singularValues[i] <= 1e-6 * singularValues[0]) return 0;
    return table.reduce((sum, values, row) => sum + values[(at - i) / k] * u[row * k + i], 0) /
      singularValues[i];
  });
}

/** Sum of squares of A - U S V^T. */
function squaredError(table: number[][], found: TruncatedSvd): number {
  const { u, singularValues } = found, v = rightVectors(table, found);
  const k = singularValues.length;
  let sum = 0;
  for (const [row, values] of table.entries()) {
    for (const [column, value] of values.entries()) {
      let product = 0;
      for (let i = 0; i < k; i++) product += u[row * k + i] * singularValues[i] * v[column * k + i];
      sum += (value - product) ** 2;
    }
  }
  return sum;
}

/** What the best approximation of rank k leaves: the squares of all further singular values (Eckart and Young). */
function leastError(table: number[][], k: number): number {
  const n = table[0].length;
  const gram = new Float64Array(n * n);
  for (const row of table) {
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) gram[i * n + j] += row[i] * row[j];
  }
  return symmetricEigen(gram, n).values.subarray(k).reduce((sum, value) => sum + Math.max(value, 0), 0);
}

Deno.test("truncatedSvd() of a diagonal has its largest entries as singular values", async () => {
  const table = [3, 0, 5, 1, 4, 2].map((value, i) =>
    Array.from({ length: 6 }, (_, j) => i === j ? value : 0)
  );
  const { singularValues } = await truncatedSvd(device, fromDense(table), { rank: 3, seed: 1 });
  for (const [i, expected] of [5, 4, 3].entries()) assert.ok(Math.abs(singularValues[i] - expected) < 1e-5);
});

for (const [rows, cols] of [[70, 40], [40, 70]]) {
  Deno.test(`truncatedSvd() of (${rows}, ${cols}) with a flat spectrum is within 1 % of the least error`, async () => {
    const table = randomTable(rows, cols);
    const found = await truncatedSvd(device, fromDense(table), { rank: 8, seed: 3, oversample: 8 });
    const ratio = squaredError(table, found) / leastError(table, 8);
    assert.ok(ratio > 0.9999 && ratio < 1.01, `error is ${ratio} of the least`);
    for (const vectors of [found.u, rightVectors(table, found)]) {
      for (let i = 0; i < 8; i++) {
        for (let j = 0; j <= i; j++) {
          let cosine = 0;
          for (let at = 0; at < vectors.length; at += 8) cosine += vectors[at + i] * vectors[at + j];
          assert.ok(Math.abs(cosine - Number(i === j)) < 1e-4, `columns ${i} and ${j}: ${cosine}`);
        }
      }
    }
  });
}

Deno.test("truncatedSvd() to more than the matrix's rank is exact and ends in zeros", async () => {
  // Rank 2: sums of two rows, and empty rows.
  const [a, b] = randomTable(2, 30);
  const table = Array.from(
    { length: 20 },
    (_, i) => a.map((value, j) => i % 5 === 4 ? 0 : (i % 3) * value + (i % 2) * b[j]),
  );
  const found = await truncatedSvd(device, fromDense(table), { rank: 6, seed: 1 });
  assert.ok(squaredError(table, found) < 1e-6);
  assert.ok(found.singularValues[1] > 0.1);
  assert.ok(found.singularValues.subarray(2).every((value) => value < 1e-2));
  assert.ok(found.u.every(Number.isFinite));
});

Deno.test("truncatedSvd() of one seed gives the same bytes twice, and A^T has U and V exchanged", async () => {
  const dense = randomTable(30, 20), table = fromDense(dense);
  const first = await truncatedSvd(device, table, { rank: 4, seed: 9 });
  assert.deepEqual(await truncatedSvd(device, table, { rank: 4, seed: 9 }), first);
  const turned = await truncatedSvd(device, transposeSparse(table), { rank: 4, seed: 9, iterations: 12 });
  const v = rightVectors(dense, await truncatedSvd(device, table, { rank: 4, seed: 9, iterations: 12 }));
  for (const [i, value] of v.entries()) {
    assert.ok(Math.abs(Math.abs(turned.u[i]) - Math.abs(value)) < 2e-3, `entry ${i}`);
  }
});

Deno.test("truncatedSvd() refuses a rank that the matrix cannot have", () => {
  assert.throws(() => truncatedSvd(device, fromDense([[1, 2], [3, 4], [5, 6]]), { rank: 3, seed: 1 }), {
    name: "RangeError",
    message: "truncatedSvd() of (3, 2) to rank 3: expected 1 to 2",
  });
});

Deno.test("truncatedSvd() of more rows than the adapter can bind says how many it can", () => {
  const rows = Math.floor(device.limits.maxStorageBufferBindingSize / 16) + 1;
  const empty = { columns: new Uint32Array(0), values: new Float32Array(0) };
  const tall = { rows, cols: 4, offsets: new Uint32Array(rows + 1), ...empty };
  assert.throws(
    () => truncatedSvd(device, tall, { rank: 2, seed: 1 }),
    new RegExp(`Cannot decompose a matrix \\(${rows}, 4\\) with 4 directions: .* is ${rows - 1} rows`),
  );
});

import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { countAt, sumCounts } from "../../../rank/counts/sparse.ts";

Deno.test("counts of the same row and column are added up, columns ascend, and what is missing is 0", () => {
  const counts = sumCounts(4, (add) => {
    add(2, 3, 1);
    add(0, 1, 0.5);
    add(2, 0, 1);
    add(2, 3, 2);
    add(3, 3, 4);
  });
  assert.deepEqual([...counts.offsets], [0, 1, 1, 3, 4]);
  assert.deepEqual([...counts.columns], [1, 0, 3, 3]);
  assert.deepEqual([...counts.values], [0.5, 1, 3, 4]);
  assert.deepEqual([...counts.rowSums], [0.5, 0, 4, 4]);
  assert.deepEqual([...counts.columnSums], [1, 0.5, 0, 7]);
  assert.deepEqual([[2, 3], [2, 0], [2, 1], [1, 1], [3, 3], [3, 2]].map(([r, c]) => countAt(counts, r, c)), [
    3,
    1,
    0,
    0,
    4,
    0,
  ]);
});

Deno.test("2,000 random counts over 30 items are those of a full matrix", () => {
  const random = new PhiloxStream(1, "counts");
  const pairs = Array.from({ length: 2000 }, () => [random.below(30), random.below(30)]);
  const full = Array.from({ length: 30 }, () => new Float64Array(30));
  for (const [row, column] of pairs) full[row][column]++;
  const counts = sumCounts(30, (add) => pairs.forEach(([row, column]) => add(row, column, 1)));
  for (let row = 0; row < 30; row++) {
    assert.deepEqual(Array.from({ length: 30 }, (_, column) => countAt(counts, row, column)), [...full[row]]);
  }
});

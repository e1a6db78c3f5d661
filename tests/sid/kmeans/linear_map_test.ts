import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { applyLinearMap, fitLinearMap } from "../../../sid/kmeans/linear_map.ts";

function normals(rows: number, dim: number, purpose: string) {
  const random = new PhiloxStream(1, purpose);
  return { data: Float32Array.from({ length: rows * dim }, () => random.normal()), rows, dim };
}

Deno.test("fitLinearMap() finds the map that made the rows and carries new ones along", () => {
  const weights = Float64Array.of(1, 2, 0, -1, 0.5, 3);
  const from = normals(50, 3, "old");
  const fresh = normals(4, 3, "new");
  const map = fitLinearMap(from, applyLinearMap({ weights, dim: 2 }, from));
  assert.ok(map.explained > 1 - 1e-9);
  const expected = applyLinearMap({ weights, dim: 2 }, fresh).data;
  applyLinearMap(map, fresh).data.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-4));
});

Deno.test("fitLinearMap() says that rows which have nothing to do with each other are not explained", () => {
  assert.ok(fitLinearMap(normals(500, 5, "one"), normals(500, 5, "other")).explained < 0.1);
});

Deno.test("fitLinearMap() survives a column of zeros", () => {
  const from = { data: Float32Array.of(1, 0, 2, 0, -1, 0), rows: 3, dim: 2 };
  const to = { data: Float32Array.of(2, 4, -2), rows: 3, dim: 1 };
  const { weights, explained } = fitLinearMap(from, to);
  assert.ok(Math.abs(weights[0] - 2) < 1e-4 && Math.abs(weights[1]) < 1e-9 && explained > 0.999);
});

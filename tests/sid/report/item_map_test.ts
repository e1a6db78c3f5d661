import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { mapItems } from "../../../sid/report/item_map.ts";

Deno.test("mapItems() finds the two directions of a flat cloud in many dimensions", () => {
  const random = new PhiloxStream(1, "cloud");
  // 3 along (1, 1, 1, 1) / 2, 1 along (1, -1, 1, -1) / 2, nothing else.
  const wide = Array.from({ length: 500 }, () => 3 * random.normal());
  const narrow = wide.map(() => random.normal());
  const data = Float32Array.from(
    wide.flatMap((w, i) => [1, -1, 1, -1].map((sign) => 7 + (w + sign * narrow[i]) / 2)),
  );
  const { items, x, y, explained } = mapItems({ data, rows: 500, dim: 4 }, 1000);
  assert.equal(items.length, 500);
  assert.ok(Math.abs(explained[0] + explained[1] - 1) < 1e-6 && explained[0] > 0.85, String(explained));
  const mean = wide.reduce((sum, value) => sum + value, 0) / 500;
  const sign = Math.sign(x[0] * (wide[0] - mean));
  wide.forEach((value, i) => assert.ok(Math.abs(sign * x[i] - (value - mean)) < 0.3));
  assert.ok(Math.abs(x.reduce((sum, value, i) => sum + value * y[i], 0)) < 1, "the axes are at right angles");
});

Deno.test("mapItems() draws a sample of a large catalogue, the same each time", () => {
  const cloud = { data: Float32Array.from({ length: 300 }, (_, i) => Math.sin(i)), rows: 100, dim: 3 };
  const { items, x } = mapItems(cloud, 10);
  assert.equal(x.length, 10);
  assert.equal(new Set(items).size, 10);
  assert.deepEqual(mapItems(cloud, 10).items, items);
});

Deno.test("mapItems() puts equal vectors on one point without NaN", () => {
  const { x, y, explained } = mapItems({ data: new Float32Array(8).fill(2), rows: 4, dim: 2 }, 10);
  assert.deepEqual([x, y, explained], [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0]]);
});

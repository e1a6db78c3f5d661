import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { ExposureCounter, exposureGini } from "../../eval/exposure.ts";
import fc from "../property.ts";

Deno.test("exposureGini() is 0 for uniform counts, (N - 1) / N for one item alone, and 0 for none", () => {
  strictEqual(exposureGini(new Uint32Array(256).fill(7)), 0);
  strictEqual(exposureGini(new Uint32Array(256).with(3, 5)), 255 / 256);
  strictEqual(exposureGini(new Uint32Array(4)), 0);
  // Ascending 1, 2, 5: (-2 + 0 + 10) / (3 * 8)
  strictEqual(exposureGini(Uint32Array.of(5, 1, 2)), 8 / 24);
});

Deno.test("exposureGini() is half the mean absolute difference of two items over the mean", () => {
  const counts = fc.array(fc.nat(50), { minLength: 2, maxLength: 12 }).filter((values) =>
    values.some((x) => x > 0)
  );
  fc.assert(fc.property(counts, (values) => {
    const n = values.length;
    const mean = values.reduce((sum, x) => sum + x, 0) / n;
    const differences = values.flatMap((x) => values.map((y) => Math.abs(x - y))).reduce(
      (sum, d) => sum + d,
      0,
    );
    ok(Math.abs(exposureGini(Uint32Array.from(values)) - differences / (2 * n * n * mean)) < 1e-12);
  }));
});

Deno.test("ExposureCounter counts the first K items of each list, and lists that are shorter", () => {
  const counter = new ExposureCounter(4, [1, 3]);
  counter.add([2, 0, 1, 3]);
  counter.add([2, 1]);
  deepStrictEqual(counter.exposure(), {
    coverage: { 1: 1 / 4, 3: 3 / 4 },
    gini: { 1: 3 / 4, 3: exposureGini(Uint32Array.of(1, 2, 2, 0)) },
  });
});

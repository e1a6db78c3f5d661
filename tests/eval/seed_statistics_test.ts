import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { seedStatistics, studentQuantile } from "../../eval/seed_statistics.ts";
import fc from "../property.ts";

const close = (actual: number, expected: number, tolerance: number) =>
  ok(Math.abs(actual - expected) < tolerance, `${actual} is not ${expected}`);

Deno.test("studentQuantile() gives the printed tables' figures", () => {
  const printed = [[1, 12.7062], [2, 4.30265], [3, 3.18245], [4, 2.77645], [5, 2.57058], [9, 2.26216]];
  for (const [degrees, t] of [...printed, [10, 2.22814], [30, 2.04227], [120, 1.97993]]) {
    close(studentQuantile(0.975, degrees), t, 1e-4);
  }
  close(studentQuantile(0.95, 2), 2.91999, 1e-5);
  close(studentQuantile(0.5, 7), 0, 1e-9);
  throws(() => studentQuantile(1, 3), /expected 0\.5 to less than 1/);
  throws(() => studentQuantile(0.975, 0), /0 degrees of freedom/);
});

Deno.test("seedStatistics() is mean ± t · s / √n, worked by hand for three seeds", () => {
  const { seeds, mean, deviation, ci95 } = seedStatistics([1, 2, 3]);
  deepStrictEqual([seeds, mean, deviation], [3, 2, 1]);
  close(ci95![0], 2 - 4.30265 / Math.sqrt(3), 1e-5);
  close(ci95![1], 2 + 4.30265 / Math.sqrt(3), 1e-5);
});

Deno.test("seedStatistics() gives one seed no interval, and refuses none", () => {
  deepStrictEqual(seedStatistics([0.5]), { seeds: 1, mean: 0.5, deviation: null, ci95: null });
  throws(() => seedStatistics([]), /0 seeds/);
});

Deno.test("seedStatistics() moves and scales with its values", () => {
  const values = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 2, maxLength: 8 });
  fc.assert(fc.property(values, fc.double({ min: 0.5, max: 2, noNaN: true }), (list, scale) => {
    const plain = seedStatistics(list);
    const moved = seedStatistics(list.map((value) => value * scale + 3));
    strictEqual(moved.seeds, list.length);
    close(moved.mean, plain.mean * scale + 3, 1e-9);
    [0, 1].forEach((end) => close(moved.ci95![end], plain.ci95![end] * scale + 3, 1e-6));
    ok(plain.ci95![0] <= plain.mean && plain.mean <= plain.ci95![1]);
  }));
});

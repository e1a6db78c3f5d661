import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import fc from "../property.ts";
import {
  bootstrapInterval,
  bootstrapIntervals,
  hitsAtK,
  mean,
  ndcgAtK,
  pairedDifference,
  rankMetrics,
  reciprocalRanks,
  signFlipTest,
} from "../../eval/metrics.ts";

const close = (actual: number, expected: number) =>
  ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`);

Deno.test("rankMetrics() gives the specification's vector for ranks 0, 3 and a miss", () => {
  const metrics = rankMetrics([0, 3, null]);
  strictEqual(metrics.users, 3);
  deepStrictEqual(Object.keys(metrics.hr), ["1", "3", "5", "10", "20", "50"]);
  close(metrics.hr[1], 1 / 3);
  close(metrics.hr[3], 1 / 3);
  close(metrics.hr[5], 2 / 3);
  close(metrics.ndcg[5], 0.476892);
  close(metrics.ndcg[1], 1 / 3);
});

Deno.test("ndcgAtK() is 1 / log2(3) when the hit is second", () => {
  deepStrictEqual([...ndcgAtK([1, null], 2)], [1 / Math.log2(3), 0]);
});

Deno.test("hitsAtK() does not count a hit at rank k", () => {
  deepStrictEqual([...hitsAtK([4, 5, null], 5)], [1, 0, 0]);
  throws(() => hitsAtK([1], 0), /Cannot cut rankings at 0/);
});

Deno.test("rankMetrics() refuses an empty split", () => {
  throws(() => rankMetrics([]), /Cannot average over 0 users/);
});

Deno.test("bootstrapInterval() is the value itself where all users agree", () => {
  deepStrictEqual(bootstrapInterval(new Float64Array(20).fill(0.25), { seed: 1 }), [0.25, 0.25]);
});

Deno.test("bootstrapInterval() agrees with the normal interval for a coin of 1000 throws, and repeats", () => {
  const values = Float64Array.from({ length: 1000 }, (_, i) => i % 2);
  const [low, high] = bootstrapInterval(values, { seed: 5 });
  // 1.96 sqrt(0.25 / 1000) = 0.031
  ok(Math.abs(low - 0.469) < 0.004 && Math.abs(high - 0.531) < 0.004, `${low} ${high}`);
  deepStrictEqual(bootstrapInterval(values, { seed: 5 }), [low, high]);
});

Deno.test("pairedDifference() sees a steady gain that unpaired intervals would hide", () => {
  const b = Float64Array.from({ length: 200 }, (_, i) => i % 10);
  const a = b.map((value, i) => value + (i % 2 === 0 ? 0.2 : 0));
  const { difference, ci95: [low, high], p } = pairedDifference(a, b, { seed: 3 });
  strictEqual(p, 1 / 10_001); // none of the drawn patterns gives all 100 users one sign
  close(difference, 0.1);
  close(mean(a) - mean(b), 0.1);
  ok(low > 0.08 && high < 0.12, `${low} ${high}`);
  throws(() => pairedDifference(a, b.slice(1), { seed: 3 }), /Cannot pair 200 users with 199/);
});

Deno.test("bootstrapIntervals() gives each column the interval it has alone", () => {
  const columns = [[1, 2, 3, 9], [0, 1, 0, 1]].map((values) => Float64Array.from(values));
  deepStrictEqual(
    bootstrapIntervals(columns, { seed: 2 }),
    columns.map((values) => bootstrapInterval(values, { seed: 2 })),
  );
});

Deno.test("reciprocalRanks() is 1 / place, 0 for a miss", () => {
  deepStrictEqual([...reciprocalRanks([0, 3, null])], [1, 0.25, 0]);
});

Deno.test("signFlipTest() counts all sign patterns of few differences", () => {
  const p = (...values: number[]) => signFlipTest(Float64Array.from(values), { seed: 1 });
  strictEqual(p(1, 1, 1), 2 / 8); // +++ and ---
  strictEqual(p(2, 0, 1, -1, 0), 6 / 8); // sums of 2, 1 and -1: +-4 once each, +-2 twice each, 0 twice
  strictEqual(p(0, 0), 1);
});

Deno.test("signFlipTest() draws patterns of many differences, near the normal p-value and never 0", () => {
  const values = Float64Array.from({ length: 400 }, (_, i) => i < 220 ? 1 : -1);
  const p = signFlipTest(values, { seed: 1 });
  ok(Math.abs(p - 0.0511) < 0.008, `${p}`); // |sum| >= 40 of 400 coins: 2 P(Z >= 39 / 20)
  strictEqual(signFlipTest(values, { seed: 1 }), p);
  strictEqual(signFlipTest(new Float64Array(64).fill(1), { seed: 1, permutations: 99 }), 1 / 100);
});

Deno.test("signFlipTest() is the same for differences of the other sign", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 8 }), (values) => {
      const p = signFlipTest(Float64Array.from(values), { seed: 1 });
      strictEqual(signFlipTest(Float64Array.from(values, (value) => -value), { seed: 1 }), p);
      ok(p > 0 && p <= 1);
    }),
  );
});

import assert from "node:assert/strict";
import { growthOf } from "../../bench/steady.ts";

Deno.test("growthOf() leaves out the first tenth and takes medians of the second and the last", () => {
  const samples = Array.from({ length: 101 }, (_, i) => ({ step: 10 * i, bytes: i < 10 ? 1 : 1000 + i }));
  samples[15].bytes = 9e9; // one high look
  // 10 to 20 are 1010 to 1020, one of them high: the median is 1016. 90 to 100 are 1090 to 1100.
  assert.deepEqual(growthOf(samples), { early: 1016, late: 1095 });
});

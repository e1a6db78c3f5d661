import assert from "node:assert/strict";
import { tenthsOf } from "../../bench/steady.ts";

Deno.test("tenthsOf() has the medians of each tenth of the steps", () => {
  const samples = Array.from({ length: 100 }, (_, i) => ({ step: i + 1, bytes: 1000 + i, own: i }));
  samples[15].bytes = 9e9; // one high look
  const tenths = tenthsOf(samples);
  assert.equal(tenths.length, 10);
  // 1010 to 1019, one of them high: 1014 and 1016 are in the middle.
  assert.deepEqual(tenths[1], { bytes: 1015, own: 14.5 });
  assert.deepEqual(tenths[9], { bytes: 1094.5, own: 94.5 });
});

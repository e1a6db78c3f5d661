import assert from "node:assert/strict";
import { drawsForGroup, dynamicSample } from "../../../train/rl/dynamic_sampling.ts";
import fc from "../../property.ts";

Deno.test("drawsForGroup() is half as many again, rounded down", () => {
  assert.deepEqual([1, 2, 5, 16].map(drawsForGroup), [1, 3, 7, 24]);
});

Deno.test("dynamicSample() puts targets first, then other leaves by frequency, each once", () => {
  // 7 twice, 3 three times, 5 twice but first seen before 8 (twice), 4 once.
  const drawn = [5, 3, 7, 8, 3, 4, 8, 5, 3, 7];
  assert.deepEqual(dynamicSample(drawn, [7], 6), [7, 7, 3, 5, 8, 4]);
  assert.deepEqual(dynamicSample(drawn, [7], 4), [7, 7, 3, 5]);
  assert.deepEqual(dynamicSample(drawn, [9], 3), [3, 5, 7]);
});

Deno.test("dynamicSample() repeats the other leaves in the same order", () => {
  assert.deepEqual(dynamicSample([1, 2, 2, 1, 2, 6, 2], [6], 6), [6, 2, 1, 2, 1, 2]);
  assert.deepEqual(dynamicSample([4, 4, 4], [9], 2), [4, 4]);
});

Deno.test("dynamicSample() keeps at most a group of targets, of all targets together", () => {
  assert.deepEqual(dynamicSample([2, 2, 2], [2], 2), [2, 2]);
  assert.deepEqual(dynamicSample([2, 3, 1, 3, 2, 3], [3, 2], 4), [2, 3, 3, 2]);
});

Deno.test("dynamicSample() refuses fewer draws than the group", () => {
  assert.throws(() => dynamicSample([1, 2], [1], 3), {
    name: "RangeError",
    message: "Cannot pick a group of 3 from 2 draws: expected 4",
  });
});

Deno.test("dynamicSample() keeps every hit that fits and no leaf that was not drawn", () => {
  const leaf = fc.integer({ min: 0, max: 5 });
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 8 }),
    fc.array(leaf, { minLength: 12, maxLength: 12 }),
    fc.array(leaf, { maxLength: 3 }),
    (group, draws, targets) => {
      const drawn = draws.slice(0, drawsForGroup(group));
      const picked = dynamicSample(drawn, targets, group);
      const hits = (leaves: number[]) => leaves.filter((one) => targets.includes(one)).length;
      assert.equal(picked.length, group);
      assert.ok(picked.every((one) => drawn.includes(one)));
      assert.equal(hits(picked), Math.min(hits(drawn), group));
      // As many different leaves as there is room for.
      const others = new Set(drawn.filter((one) => !targets.includes(one))).size;
      const distinct = new Set(picked.filter((one) => !targets.includes(one))).size;
      assert.equal(distinct, Math.min(others, group - hits(picked)));
    },
  ));
});

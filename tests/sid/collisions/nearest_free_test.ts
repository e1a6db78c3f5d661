import assert from "node:assert/strict";
import { moveToNearestFree } from "../../../sid/collisions/nearest_free.ts";
import { buildTrie } from "../../../sid/trie.ts";
import { codesOf, lastLevel } from "./scene.ts";
import fc from "../../property.ts";

Deno.test("moveToNearestFree() keeps the first member and moves the second to the nearest unused codeword", () => {
  // Items 0 and 1 share codeword 1 (at 10); 20 is taken by item 2, so 0 is nearest to 11 among the free ones.
  const { sids, changed, shared } = moveToNearestFree(
    codesOf([7, 1], [7, 1], [7, 2], [8, 1]),
    lastLevel([10, 11, 20, 10]),
  );
  assert.deepEqual(sids, [[7, 1], [7, 0], [7, 2], [8, 1]]);
  assert.deepEqual(changed, [{ item: 1, from: [7, 1], to: [7, 0] }]);
  assert.deepEqual(shared, []);
});

Deno.test("moveToNearestFree() takes the least total distance where first come first served does not", () => {
  // Movers at 16 and 19, free codewords at 17 and 8. Nearest first: 16 takes 17, 19 goes to 8, 1 + 121 = 122.
  // Best: 16 goes to 8 and 19 to 17, 64 + 4 = 68.
  const { sids } = moveToNearestFree(codesOf([0, 0], [0, 0], [0, 0]), lastLevel([15, 16, 19], [15, 17, 8]));
  assert.deepEqual(sids, [[0, 0], [0, 2], [0, 1]]);
});

Deno.test("moveToNearestFree() places the movers of two groups with one prefix together", () => {
  // Codewords 0 and 1 each have two items; 2 (at 20) and 3 (at 30) are free.
  const { sids, shared } = moveToNearestFree(
    codesOf([5, 0], [5, 1], [5, 0], [5, 1]),
    lastLevel([0, 10, 4, 14], [0, 10, 20, 30]),
  );
  // 4 -> 20 and 14 -> 30: 256 + 256 = 512; 4 -> 30 and 14 -> 20: 676 + 36 = 712.
  assert.deepEqual(sids, [[5, 0], [5, 1], [5, 2], [5, 3]]);
  assert.deepEqual(shared, []);
});

Deno.test("moveToNearestFree() gives identical items different codewords", () => {
  const { sids } = moveToNearestFree(codesOf([0, 1], [0, 1], [0, 1]), lastLevel([10, 10, 10]));
  assert.deepEqual(sids.map((sid) => sid[1]).sort(), [0, 1, 2]);
});

Deno.test("moveToNearestFree() gives the groups of a prefix without free codewords one more code", () => {
  const { sids, shared, changed } = moveToNearestFree(
    codesOf([0, 0], [0, 0], [0, 0], [0, 0]),
    lastLevel([0, 9, 1, 2], [0, 10]),
  );
  assert.deepEqual(sids, [[0, 0, 0], [0, 1], [0, 0, 1], [0, 0, 2]]);
  assert.deepEqual(shared, []);
  assert.equal(changed.length, 4);
});

Deno.test("moveToNearestFree() makes SIDs unique and free of prefixes, however full a prefix is", () => {
  const rows = fc.array(fc.tuple(fc.nat(1), fc.nat(2)), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(rows, (codes) => {
    const { sids } = moveToNearestFree(codesOf(...codes), lastLevel(codes.map((_, i) => i), [0, 9, 4]));
    assert.equal(buildTrie(sids).leafCount, codes.length);
  }));
});

Deno.test("moveToNearestFree() is as cheap as the best of all placements", () => {
  const scene = fc.record({
    residuals: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 2, maxLength: 5 }),
    codebook: fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 6 }),
  });
  fc.assert(fc.property(scene, ({ residuals, codebook }) => {
    const all = residuals.map(() => [0, 0]);
    const { sids } = moveToNearestFree(codesOf(...all), lastLevel(residuals, codebook));
    const cost = (item: number, codeword: number) => (residuals[item] - codebook[codeword]) ** 2;
    const moved = residuals.map((_, item) => item).filter((item) => sids[item][1] !== 0);
    assert.equal(moved.length, Math.min(residuals.length, codebook.length) - 1);
    const total = moved.reduce((sum, item) => sum + cost(item, sids[item][1]), 0);

    /** Least cost of placing `open` more of the movers from `item` on. */
    const best = (item: number, free: number[], open: number): number => {
      if (open === 0) return 0;
      if (item === residuals.length) return Infinity;
      const placed = free.map((k) =>
        cost(item, k) + best(item + 1, free.filter((other) => other !== k), open - 1)
      );
      return Math.min(best(item + 1, free, open), ...placed);
    };
    assert.equal(total, best(1, codebook.map((_, k) => k).slice(1), moved.length));
  }));
});

Deno.test("moveToNearestFree() refuses residuals that do not fit the codes", () => {
  assert.throws(
    () => moveToNearestFree(codesOf([0, 0], [0, 0]), lastLevel([1])),
    /residuals hold 1 .* expected \(2, 1\) = 2/,
  );
});

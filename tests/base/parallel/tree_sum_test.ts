import assert from "node:assert/strict";
import { branchOf, branchSize, treeSteps, treeSum } from "../../../base/parallel/tree_sum.ts";

/** Terms whose sum depends on the order: at each place one of very different sizes. */
const terms = (count: number) =>
  Array.from({ length: count }, (_, place) => Float32Array.of(Math.sin(place + 1) * 10 ** (place % 8)));

Deno.test("five terms are ((a + b) + (c + d)) + e, and six end with (e + f)", () => {
  const f = Math.fround;
  const [a, b, c, d, e, g] = terms(6).map(([value]) => value);
  assert.equal(treeSum(terms(5))[0], f(f(f(a + b) + f(c + d)) + e));
  assert.equal(treeSum(terms(6))[0], f(f(f(a + b) + f(c + d)) + f(e + g)));
  assert.equal(treeSum(terms(1))[0], a);
  assert.throws(() => treeSum([]), RangeError);
});

Deno.test("any number of ranks that sum branches ends with the same bits as one", () => {
  for (let count = 1; count <= 40; count++) {
    const whole = treeSum(terms(count))[0];
    for (let ranks = 1; ranks <= 9; ranks++) {
      const size = branchSize(count, ranks);
      assert.ok(size * ranks >= count, `${ranks} ranks of ${size} for ${count}`);
      const branches = [];
      for (let from = 0; from < count; from += size) {
        branches.push(treeSum(terms(count).slice(from, from + size)));
      }
      assert.equal(treeSum(branches)[0], whole, `${count} terms on ${ranks} ranks`);
    }
  }
});

Deno.test("what is kept is a logarithm of the terms", () => {
  const levels = Array.from({ length: 64 }, (_, place) => treeSteps(place, 64).keep ?? 0);
  assert.equal(Math.max(...levels), 5);
});

Deno.test("branchOf() deals every term once, to the first ranks", () => {
  for (let count = 0; count <= 20; count++) {
    for (let size = 1; size <= 7; size++) {
      const dealt = Array.from({ length: size }, (_, rank) => branchOf(count, { rank, size }));
      const places = dealt.flatMap(({ first, end }) =>
        Array.from({ length: end - first }, (_, i) => first + i)
      );
      assert.deepEqual(places, [...Array(count).keys()], `${count} terms, ${size} ranks`);
      for (const { branches } of dealt) {
        assert.equal(branches, dealt.filter(({ first, end }) => end > first).length);
      }
    }
  }
});

import assert from "node:assert/strict";
import { highest } from "../../eval/highest.ts";
import fc from "../property.ts";

Deno.test("highest() puts equal scores in the order of their places", () => {
  const scores = Float32Array.of(1, 3, 2, 3, 2);
  assert.deepEqual(highest(scores, 3), [1, 3, 2]);
  assert.deepEqual(highest(scores, 9), [1, 3, 2, 4, 0]);
  assert.deepEqual(highest(scores, 0), []);
  assert.deepEqual(highest(scores, 1, [4, 2, 0]), [2]);
});

Deno.test("highest() is the beginning of all places in order", () => {
  const scores = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 200 });
  fc.assert(fc.property(scores, fc.nat(60), fc.nat(5), (scores, most, apart) => {
    const some = [...scores.keys()].filter((place) => place % (apart + 1) === 0).reverse();
    const sorted = some.toSorted((a, b) => scores[b] - scores[a] || a - b);
    assert.deepEqual(highest(scores, most, some), sorted.slice(0, most));
    if (apart === 0) assert.deepEqual(highest(scores, most), sorted.slice(0, most));
  }));
});

import assert from "node:assert/strict";
import { sinkhornCollisions } from "../../../sid/collisions/sinkhorn.ts";
import { codesOf, lastLevel } from "./scene.ts";

Deno.test("sinkhornCollisions() gives each of two items the codeword in which it most beats the other", () => {
  // Squared distances of 1 and 2 to 0, 10, ..., 50: the difference grows with the codeword, so one takes 0 and the
  // other 50, as far off as codewords go.
  const { sids, changed } = sinkhornCollisions(codesOf([7, 0], [7, 0], [7, 3]), lastLevel([1, 2, 30]));
  assert.deepEqual(sids, [[7, 0], [7, 5], [7, 3]]);
  assert.deepEqual(changed, [{ item: 1, from: [7, 0], to: [7, 5] }]);
});

Deno.test("sinkhornCollisions() cannot tell items with equal vectors apart: they share codeword 0", () => {
  const { sids, shared } = sinkhornCollisions(codesOf([7, 2], [7, 2]), lastLevel([20, 20]));
  assert.deepEqual(sids, [[7, 0], [7, 0]]);
  assert.deepEqual(shared, [[0, 1]]);
});

Deno.test("sinkhornCollisions() changes nothing where nothing collides", () => {
  const { sids, changed } = sinkhornCollisions(codesOf([7, 2], [7, 3]), lastLevel([20, 30]));
  assert.deepEqual(sids, [[7, 2], [7, 3]]);
  assert.deepEqual(changed, []);
});

import assert from "node:assert/strict";
import { collidingGroups } from "../../../sid/collisions/groups.ts";
import { keepCollisions } from "../../../sid/collisions/keep.ts";
import { codesOf } from "./scene.ts";

Deno.test("collidingGroups() lists equal SIDs in row order", () => {
  assert.deepEqual(collidingGroups([[1, 2], [3, 4], [1, 2], [12], [3, 4], [1, 2]]), [[0, 2, 5], [1, 4]]);
});

Deno.test("keepCollisions() changes nothing and says who shares", () => {
  const { sids, changed, shared } = keepCollisions(codesOf([1, 2], [3, 4], [1, 2]));
  assert.deepEqual(sids, [[1, 2], [3, 4], [1, 2]]);
  assert.deepEqual(changed, []);
  assert.deepEqual(shared, [[0, 2]]);
});

import assert from "node:assert/strict";
import { addExtraLevel } from "../../../sid/collisions/extra_level.ts";
import { buildTrie } from "../../../sid/trie.ts";
import { codesOf } from "./scene.ts";
import fc from "../../property.ts";

Deno.test("addExtraLevel() gives every member of a group its rank and leaves others alone", () => {
  const { sids, changed, shared } = addExtraLevel(codesOf([1, 2], [3, 4], [1, 2], [1, 2]));
  assert.deepEqual(sids, [[1, 2, 0], [3, 4], [1, 2, 1], [1, 2, 2]]);
  assert.deepEqual(changed, [
    { item: 0, from: [1, 2], to: [1, 2, 0] },
    { item: 2, from: [1, 2], to: [1, 2, 1] },
    { item: 3, from: [1, 2], to: [1, 2, 2] },
  ]);
  assert.deepEqual(shared, []);
});

Deno.test("addExtraLevel() makes SIDs unique and free of prefixes, whatever collides", () => {
  const rows = fc.array(fc.array(fc.nat(2), { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 40 });
  fc.assert(fc.property(rows, (codes) => {
    const { sids } = addExtraLevel(codesOf(...codes));
    assert.equal(buildTrie(sids).leafCount, codes.length);
  }));
});

import assert from "node:assert/strict";
import type { Sample } from "../../data/dataset.ts";
import { beamsFor, listedItems, popularItems, SidLists } from "../../eval/item_lists.ts";
import { buildTrie } from "../../sid/trie.ts";
import fc from "../property.ts";

const bought = (target: number): Sample => ({ user: `u${target}`, history: [], target });

Deno.test("list() gives the SIDs of a search in order, with their items by popularity", () => {
  // Items 0, 2 and 4 share a SID; 4 is bought most, then 2.
  const sids = [[1], [2], [1], [3], [1]].map((sid) => Uint32Array.from(sid));
  const trie = buildTrie(sids);
  const lists = new SidLists(["x", "y", "x", "z", "x"], popularItems([4, 2, 4].map(bought), 5));
  const search = { leaves: [2, 1, 3].map((token) => trie.walk([token])!), scores: [-1, -2, -3] };
  const items = (top: number, without?: number[]) =>
    listedItems(lists.list(trie, search, top, without && new Set(without)), top).map(({ item }) => item);
  assert.deepEqual(lists.list(trie, search, 2), [
    { name: "y", items: [1], score: -1 },
    { name: "x", items: [4, 2, 0], score: -2 },
  ]);
  assert.deepEqual(lists.list(trie, search, 2, new Set([1, 4])).map(({ items }) => items), [[2, 0], [3]]);
  assert.deepEqual(listedItems(lists.list(trie, search, 2), 2), [
    { item: 1, score: -1 },
    { item: 4, score: -2 },
  ]);
  assert.deepEqual(items(9), [1, 4, 2, 0, 3]);
  assert.deepEqual(items(3, [1, 2]), [4, 0, 3]);
  assert.deepEqual(items(3, [0, 1, 2, 3, 4]), []);
});

Deno.test("beamsFor() leaves enough SIDs for the top, whichever items are taken away", () => {
  assert.deepEqual([beamsFor(50, 10, 40), beamsFor(50, 10, 41), beamsFor(1, 1, 4)], [50, 100, 8]);
  const catalogue = fc.array(fc.nat(9), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(catalogue, fc.integer({ min: 1, max: 9 }), fc.array(fc.nat(39)), (tokens, top, seen) => {
      const without = new Set(seen.filter((item) => item < tokens.length));
      const trie = buildTrie(tokens.map((token) => [token]));
      const leaves = Array.from({ length: trie.leafCount }, (_, i) => i + 1).slice(
        0,
        beamsFor(2, top, without.size),
      );
      const search = { leaves, scores: leaves.map(() => 0) };
      const lists = new SidLists(tokens.map(String), [...tokens.keys()]);
      const listed = listedItems(lists.list(trie, search, top, without), top);
      assert.equal(listed.length, Math.min(top, tokens.length - without.size));
      assert.ok(listed.every(({ item }) => !without.has(item)));
    }),
  );
});

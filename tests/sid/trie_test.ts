import assert from "node:assert/strict";
import { buildTrie } from "../../sid/trie.ts";
import fc from "../property.ts";

const ids = (...tokens: number[]) => Uint32Array.from(tokens);

Deno.test("buildTrie() numbers nodes breadth first with sorted children", () => {
  // root -> 3 (-> 7, 9), 5 (-> 4); items 0 and 3 share 5 4.
  const trie = buildTrie([ids(5, 4), ids(3, 9), ids(3, 7), ids(5, 4)]);
  assert.deepEqual([...trie.childOffsets], [0, 2, 4, 5, 5, 5, 5]);
  assert.deepEqual([...trie.childTokens], [3, 5, 7, 9, 4]);
  assert.deepEqual([...trie.childNodes], [1, 2, 3, 4, 5]);
  assert.deepEqual([...trie.depths], [0, 1, 1, 2, 2, 2]);
  assert.deepEqual([...trie.levelOffsets], [0, 1, 3, 6]);
  assert.deepEqual([...trie.itemOffsets], [0, 0, 0, 0, 1, 2, 4]);
  assert.deepEqual([...trie.items], [2, 1, 0, 3]);
  assert.equal(trie.nodeCount, 6);
  assert.equal(trie.leafCount, 3);
  assert.equal(trie.maxDepth, 2);
  assert.equal(trie.maxFanOut, 2);
});

Deno.test("buildTrie() keeps items with their leaf when lengths are mixed", () => {
  // Lexicographic order is 1 1 1 (item 1), then 2 (item 0); breadth first reaches leaf 2 first.
  const trie = buildTrie([ids(2), ids(1, 1, 1)]);
  assert.deepEqual([...trie.itemsOf(trie.walk([2])!)], [0]);
  assert.deepEqual([...trie.itemsOf(trie.walk([1, 1, 1])!)], [1]);
  assert.equal(trie.maxDepth, 3);
});

Deno.test("buildTrie() of some items holds these alone, under their own numbers", () => {
  const trie = buildTrie([ids(5, 4), ids(3, 9), ids(3, 7), ids(5, 4)], [3, 1]);
  assert.deepEqual([...trie.itemsOf(trie.walk([5, 4])!)], [3]);
  assert.deepEqual([...trie.itemsOf(trie.walk([3, 9])!)], [1]);
  assert.equal(trie.walk([3, 7]), undefined);
  assert.deepEqual([trie.leafCount, trie.items.length], [2, 2]);
  // What is left out cannot be in the way.
  assert.equal(buildTrie([ids(1, 2), ids(1), ids()], [0]).leafCount, 1);
  assert.throws(() => buildTrie([ids(1)], []), /no items/);
});

Deno.test("walk() starts where it is told and stops at unknown tokens", () => {
  const trie = buildTrie([ids(5, 4), ids(3, 9)]);
  const node = trie.walk([5])!;
  assert.equal(trie.depths[node], 1);
  assert.equal(trie.isLeaf(node), false);
  assert.deepEqual([...trie.tokensAfter(node)], [4]);
  assert.equal(trie.isLeaf(trie.walk([4], node)!), true);
  assert.equal(trie.walk([9], node), undefined);
  assert.equal(trie.walk([4]), undefined);
  assert.equal(trie.walk([5, 4, 4]), undefined);
  assert.equal(trie.walk([]), 0);
});

Deno.test("buildTrie() refuses no items, an empty SID and a SID that begins another", () => {
  assert.throws(() => buildTrie([]), /no items/);
  assert.throws(() => buildTrie([ids(1), ids()]), /SID of item 1 has no tokens/);
  assert.throws(
    () => buildTrie([ids(1, 2, 3), ids(4), ids(1, 2)]),
    /SID of item 2 \[1, 2\] is the beginning of the SID of item 0 \[1, 2, 3\]/,
  );
});

/** Catalogues of short SIDs over few tokens, made prefix free by dropping whatever begins another SID. */
const catalogues = fc.array(fc.array(fc.nat(6), { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 60,
})
  .map((sids) =>
    sids.filter((sid) =>
      !sids.some((other) => other.length > sid.length && sid.every((t, i) => other[i] === t))
    )
  );

Deno.test("buildTrie() reaches every SID and nothing else, whatever the lengths", () => {
  fc.assert(fc.property(catalogues, (sids) => {
    const trie = buildTrie(sids);
    const expected = new Map<string, number[]>();
    sids.forEach((sid, item) => expected.set(sid.join(), [...expected.get(sid.join()) ?? [], item]));

    const found = new Map<string, number[]>();
    const visit = (node: number, path: number[]) => {
      assert.equal(trie.depths[node], path.length);
      assert.equal(trie.walk(path), node);
      if (trie.isLeaf(node)) found.set(path.join(), [...trie.itemsOf(node)]);
      else assert.equal(trie.itemsOf(node).length, 0);
      for (let edge = trie.childOffsets[node]; edge < trie.childOffsets[node + 1]; edge++) {
        visit(trie.childNodes[edge], [...path, trie.childTokens[edge]]);
      }
    };
    visit(0, []);
    assert.deepEqual([...found].sort(), [...expected].sort());
    assert.equal(trie.leafCount, expected.size);
  }));
});

Deno.test("buildTrie() sorts children and keeps each level in one range of nodes", () => {
  fc.assert(fc.property(catalogues, (sids) => {
    const trie = buildTrie(sids);
    for (let node = 0; node < trie.nodeCount; node++) {
      const tokens = trie.tokensAfter(node);
      for (let i = 1; i < tokens.length; i++) assert.ok(tokens[i - 1] < tokens[i]);
      const depth = trie.depths[node];
      assert.ok(trie.levelOffsets[depth] <= node && node < trie.levelOffsets[depth + 1]);
    }
    assert.equal(trie.levelOffsets[trie.maxDepth + 1], trie.nodeCount);
    assert.equal(trie.childTokens.length, trie.nodeCount - 1);
  }));
});

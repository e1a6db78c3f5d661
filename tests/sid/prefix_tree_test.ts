import assert from "node:assert/strict";
import { PrefixTree } from "../../sid/prefix_tree.ts";

const SIDS = [["<a_1>", "<b_2>"], ["<a_1>", "<b_3>", "<c_1>"], ["<a_2>", "<b_2>"], [
  "<a_1>",
  "<b_3>",
  "<c_2>",
]];

Deno.test("a prefix tree tells which items begin alike, and what follows", () => {
  const tree = new PrefixTree(SIDS);
  assert.deepEqual(tree.itemsWith([]), [0, 1, 2, 3]);
  assert.deepEqual(tree.itemsWith(["<a_1>", "<b_3>"]), [1, 3]);
  assert.deepEqual(tree.itemsWith(["<a_3>"]), []);
  assert.deepEqual(tree.children([]), [
    { token: "<a_1>", items: 3, children: 2 },
    { token: "<a_2>", items: 1, children: 1 },
  ]);
  assert.deepEqual(tree.children(["<a_1>", "<b_2>"]), []);
  assert.deepEqual(tree.widths([]), [2, 3, 2]);
  assert.deepEqual(tree.widths(["<a_1>"]), [2, 2]);
});

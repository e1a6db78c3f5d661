import assert from "node:assert/strict";
import { NO_NODE, targetNodes } from "../../sid/target_nodes.ts";
import { buildTrie } from "../../sid/trie.ts";

Deno.test("targetNodes() follows SIDs of any length, starts over where one breaks off, and leaves text alone", () => {
  const trie = buildTrie([[50, 61, 70], [50, 62], [51, 63, 70, 80]]);
  const at = (...sid: number[]) => trie.walk(sid)!;
  const cases: [number, number][] = [
    [50, 0],
    [61, at(50)],
    [70, at(50, 61)],
    [50, 0],
    [62, at(50)],
    [2, NO_NODE], // the end of a text
    [9, NO_NODE],
    [51, 0],
    [63, at(51)],
    [50, 0], // breaks off
    [62, at(50)],
    [63, NO_NODE], // a token of a SID, but not here
    [51, 0],
    [63, at(51)],
    [70, at(51, 63)],
    [80, at(51, 63, 70)],
  ];
  const nodes = targetNodes(trie, cases.map(([token]) => token));
  assert.deepEqual([...nodes], cases.map(([, node]) => node));
});

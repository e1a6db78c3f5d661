import assert from "node:assert/strict";
import { PrefixIndex } from "../../../sid/report/neighbours.ts";

const sids = [
  ["<a_1>", "<b_1>", "<c_1>"],
  ["<a_1>", "<b_1>", "<c_2>"],
  ["<a_1>", "<b_2>", "<c_1>"],
  ["<a_1>", "<b_1>", "<c_1>"],
  ["<a_1>", "<b_1>", "<c_3>"],
  ["<a_2>", "<b_1>", "<c_1>"],
];
const places = { data: Float32Array.of(0, 5, 1, 9, 2, 0), rows: 6, dim: 1 };

Deno.test("PrefixIndex groups neighbours by the codes shared, from all to one, nearest first", () => {
  assert.deepEqual(new PrefixIndex(sids, places).neighbours(0, 5), [
    { shared: 3, count: 1, nearest: [{ item: 3, distance: 9 }] },
    { shared: 2, count: 2, nearest: [{ item: 4, distance: 2 }, { item: 1, distance: 5 }] },
    { shared: 1, count: 1, nearest: [{ item: 2, distance: 1 }] },
  ]);
});

Deno.test("PrefixIndex cuts the list and not the count, equally near items by number", () => {
  const [, two] = new PrefixIndex(sids, { ...places, data: new Float32Array(6) }).neighbours(0, 1);
  assert.deepEqual(two, { shared: 2, count: 2, nearest: [{ item: 1, distance: 0 }] });
});

Deno.test("PrefixIndex finds no neighbours of an item alone with its first code", () => {
  assert.deepEqual(new PrefixIndex(sids, places).neighbours(5, 5), []);
});

Deno.test("PrefixIndex takes codes for what they are, not for the start of others", () => {
  const index = new PrefixIndex([["<a_1>"], ["<a_12>"]], { data: new Float32Array(2), rows: 2, dim: 1 });
  assert.deepEqual(index.itemsWith(0, 1), [0]);
});

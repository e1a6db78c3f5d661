import assert from "node:assert/strict";
import { firstCodeClusters } from "../../../sid/report/cluster_names.ts";

Deno.test("firstCodeClusters() names clusters by words that are frequent in them and rare elsewhere, largest first", () => {
  const titles = [
    "Blue tape 2 in",
    "Red tape",
    "Green duct tape",
    "Red super glue",
    "Blue glue stick",
  ];
  const sids = [["<a_3>"], ["<a_3>"], ["<a_3>"], ["<a_1>"], ["<a_1>"]];
  assert.deepEqual(firstCodeClusters(sids, titles), [
    { token: "<a_3>", items: 3, words: ["tape"] },
    { token: "<a_1>", items: 2, words: ["glue"] },
  ]);
});

Deno.test("firstCodeClusters() counts items where there are no titles", () => {
  assert.deepEqual(firstCodeClusters([["<a_0>"], ["<a_0>"]], undefined), [
    { token: "<a_0>", items: 2, words: [] },
  ]);
});

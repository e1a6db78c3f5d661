import assert from "node:assert/strict";
import type { Dataset } from "../../../data/dataset.ts";
import { needsSids, sidSources } from "../../../tasks/_stages/pipeline.ts";

type Known = Pick<Dataset, "items" | "histories">;
const data = (titles: string[], ...histories: number[][]): Known => ({
  items: titles.map((title) => ({ title })),
  histories: histories.map((items, user) => ({ user: `${user}`, items })),
});
const TOGETHER = "what was bought together";

Deno.test("sidSources() takes texts that differ and share words, and histories of different items", () => {
  const titles = ["a long screw", "a short screw"], nobody: number[][] = [];
  const sources = (titles: string[], ...histories: number[][]) => sidSources(data(titles, ...histories));
  assert.deepEqual(sources(titles, [0, 1]), ["texts", TOGETHER]);
  assert.deepEqual(sources(titles, ...nobody), ["texts"]);
  assert.deepEqual(sources(titles, [0, 0, 0], [1]), ["texts"]);
  assert.deepEqual(sources(["the same", "the same"], [0, 1]), [TOGETHER]);
  assert.deepEqual(sources(["screw", "plug"], [0, 1]), [TOGETHER]);
  assert.deepEqual(sources(["screw", "screw", "plug"], [0, 1]), ["texts", TOGETHER]);
  assert.deepEqual(sources(["item 0", "item 1"], [0, 1]), [TOGETHER], "items without titles are called so");
  assert.deepEqual(sources(["item 0", "item 1"], [0], [1]), []);
});

Deno.test("needsSids() keeps the index of a dataset without texts, and one that was named", () => {
  const sids = [["<a_0>"], ["<a_1>"]];
  const texts = data(["a long screw", "a short screw"], [0, 1]), none = data(["item 0", "item 1"], [0, 1]);
  const needs = (sids: string, dataset: Known & Pick<Dataset, "sids">) =>
    needsSids({ sids, dataset: dataset as Dataset });
  assert.equal(needs("", { ...texts, sids }), true);
  assert.equal(needs("", { ...none, sids }), false);
  assert.equal(needs("", none), true);
  assert.equal(needs("make", { ...none, sids }), true);
  assert.equal(needs("other.json", texts), false);
});

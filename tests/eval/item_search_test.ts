import assert from "node:assert/strict";
import { ItemSearch } from "../../eval/item_search.ts";

Deno.test("ItemSearch finds the id, then titles that start so, then those with every word", () => {
  const items = [{ title: "Red tape" }, { title: "Tape, blue" }, { id: "tape", title: "Glue" }, {
    title: "Saw",
  }];
  const search = new ItemSearch(items);
  assert.deepEqual(search.find("Tape"), [2, 1, 0]);
  assert.deepEqual(search.find("tape RED"), [0]);
  assert.deepEqual(search.find(""), [0, 1, 2, 3]);
  assert.deepEqual(search.find("3"), [3]);
});

Deno.test("ItemSearch lists what fits alike in the order that it is given", () => {
  const titles = ["Blue Tape", "Steel Rule", "Tape Measure", "Tape Gun"].map((title) => ({ title }));
  const search = new ItemSearch(titles, [3, 1, 0, 2]);
  assert.deepEqual(search.find("tape"), [3, 2, 0]);
  assert.deepEqual(search.find(""), [3, 1, 0, 2]);
});

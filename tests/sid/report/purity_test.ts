import assert from "node:assert/strict";
import { mostFrequent, prefixPurity } from "../../../sid/report/purity.ts";

Deno.test("prefixPurity() is the share of items with the label of most of their prefix", () => {
  // First code 1: tape, tape, glue; first code 2: glue twice. 4 of 5 fit. Two codes: one group of tape and glue.
  const sids = [["1", "1"], ["1", "2"], ["1", "2"], ["2", "1"], ["2", "2"]];
  const [one, two] = prefixPurity(sids, ["tape", "tape", "glue", "glue", "glue"], 2);
  assert.deepEqual([one.codes, one.groups, one.items, one.purity], [1, 2, 5, 0.8]);
  assert.deepEqual([two.codes, two.groups, two.items, two.purity], [2, 1, 2, 0.5]);
});

Deno.test("prefixPurity() leaves out items without a label and groups of one", () => {
  const sids = [["1"], ["1"], ["1"], ["2"]];
  assert.deepEqual(prefixPurity(sids, ["x", undefined, "y", "z"], 1)[0].items, 2);
  assert.deepEqual(prefixPurity([["1"], ["2"]], ["x", "x"], 1), []);
});

Deno.test("prefixPurity() of labels that the codes follow is 1, far above chance; of random ones it is near chance", () => {
  const sids = Array.from({ length: 400 }, (_, item) => [String(item % 20)]);
  const follow = prefixPurity(sids, sids.map(([code]) => `label ${Number(code) % 4}`), 1)[0];
  assert.equal(follow.purity, 1);
  assert.ok(follow.chance < 0.5, `chance ${follow.chance}`);
  const unrelated = prefixPurity(sids, sids.map((_, item) => `label ${Math.floor(item / 100)}`), 1)[0];
  assert.ok(Math.abs(unrelated.purity - unrelated.chance) < 0.2, `${unrelated.purity} ${unrelated.chance}`);
});

Deno.test("mostFrequent() takes the first of equals and knows no value of nothing", () => {
  assert.deepEqual(mostFrequent(["b", "a", "a", "b"]), { value: "b", count: 2 });
  assert.equal(mostFrequent([]), undefined);
});

import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { UserError } from "../../../base/user_error.ts";
import { drawNegatives, itemSequences } from "../../../train/run/item_sequences.ts";
import fc from "../../property.ts";

const base = syntheticDataset({ seed: 1, items: 60, users: 80 });
const datasetOf = (histories: number[][]) => ({
  ...base,
  histories: histories.map((items, i) => ({ user: `U${i}`, items })),
});

Deno.test("itemSequences() predicts every item but a user's first exactly once, from at most maxLength before it", () => {
  fc.assert(fc.property(
    fc.array(fc.array(fc.nat(59), { maxLength: 12 }), { minLength: 1, maxLength: 6 }),
    fc.integer({ min: 1, max: 5 }),
    (histories, maxLength) => {
      fc.pre(histories.some(({ length }) => length > 1));
      const source = itemSequences(datasetOf(histories), maxLength, "all");
      const targets: number[] = [];
      for (let i = 0; i < source.count; i++) {
        const made = source.make(i);
        assert.ok(made.tokens.length <= maxLength);
        assert.deepEqual(made.targets.map(({ at }) => at), [...made.tokens.keys()]);
        // What is predicted at a place is what is read at the next.
        assert.deepEqual(
          made.targets.slice(0, -1).map(({ token }) => token),
          [...made.tokens.subarray(1)],
        );
        targets.push(...made.targets.map(({ token }) => token));
      }
      assert.deepEqual(targets, histories.flatMap((items) => items.slice(1)));
    },
  ));
});

Deno.test("itemSequences() of last targets has a sequence each, of at most maxLength items before it", () => {
  const source = itemSequences(datasetOf([[3, 1, 4, 1, 5], [2], [6, 7]]), 2, "last");
  const made = Array.from({ length: source.count }, (_, i) => source.make(i));
  assert.deepEqual(
    made.map(({ tokens, targets }) => [[...tokens], targets]),
    [
      [[3], [{ at: 0, token: 1, weight: 1 }]],
      [[3, 1], [{ at: 1, token: 4, weight: 1 }]],
      [[1, 4], [{ at: 1, token: 1, weight: 1 }]],
      [[4, 1], [{ at: 1, token: 5, weight: 1 }]],
      [[6], [{ at: 0, token: 7, weight: 1 }]],
    ],
  );
});

Deno.test("itemSequences() refuses a train split without two items in a row", () => {
  assert.throws(
    () => itemSequences(datasetOf([[3], []]), 50, "all"),
    new UserError(
      `Cannot train on ${base.name}: no train history has two items, expected at least one that does`,
    ),
  );
});

Deno.test("drawNegatives() draws every item that is not in the sequence about as often", () => {
  const source = itemSequences(datasetOf([[4, 1, 4, 2]]), 50, "all");
  const counts = new Array(8).fill(0);
  const random = new PhiloxStream(1, "negatives");
  for (let i = 0; i < 1000; i++) {
    const drawn = drawNegatives(source, [0], 8, random, "unseen");
    assert.equal(drawn.length, 3);
    for (const item of drawn) counts[item]++;
  }
  assert.deepEqual([1, 2, 4].map((item) => counts[item]), [0, 0, 0]);
  // 600 each, with a standard deviation of 22.
  for (const item of [0, 3, 5, 6, 7]) {
    assert.ok(Math.abs(counts[item] - 600) < 110, `${item}: ${counts[item]}`);
  }
});

Deno.test("drawNegatives() refuses a sequence of the whole catalogue", () => {
  const source = itemSequences(datasetOf([[0, 1, 2]]), 50, "all");
  assert.throws(
    () => drawNegatives(source, [0], 3, new PhiloxStream(1, "negatives"), "unseen"),
    new UserError("Cannot draw a negative for sequence 0: it has all 3 items. Use --loss softmax"),
  );
});

Deno.test("drawNegatives() of other items excludes the target of each place alone", () => {
  const source = itemSequences(datasetOf([[0, 1, 2]]), 50, "all");
  const random = new PhiloxStream(1, "negatives");
  const drawn = Array.from({ length: 200 }, () => drawNegatives(source, [0], 3, random, "other"));
  assert.deepEqual([0, 1].map((at) => [...new Set(drawn.map((items) => items[at]))].sort()), [[0, 2], [
    0,
    1,
  ]]);
});

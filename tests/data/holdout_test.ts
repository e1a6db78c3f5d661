import assert from "node:assert/strict";
import { UserError } from "../../base/user_error.ts";
import type { Dataset, Sample } from "../../data/dataset.ts";
import { chainHistories } from "../../data/histories.ts";
import { holdOut, mostHeldOut } from "../../data/holdout.ts";
import { syntheticDataset } from "../../data/synthetic/shop.ts";

/** Ann bought 0, 1, 2, 3 and Ben 4, 5, 6; rows in time order. */
const train: Sample[] = [
  { user: "ann", history: [0], target: 1 },
  { user: "ben", history: [4], target: 5 },
  { user: "ann", history: [0, 1], target: 2 },
  { user: "ben", history: [4, 5], target: 6 },
  { user: "ann", history: [0, 1, 2], target: 3 },
];
const shop = (change: Partial<Dataset>): Dataset => ({
  name: "two users",
  source: "",
  license: "",
  items: Array.from({ length: 7 }, (_, item) => ({ title: `thing ${item}` })),
  samples: { train, valid: [{ user: "ann", history: [3], target: 4 }], test: [] },
  histories: chainHistories(train),
  files: [],
  ...change,
});

Deno.test("of train rows in time order the last ones are held out, and no sequence keeps their targets", () => {
  const held = holdOut(shop({}), 2);
  assert.deepEqual(held.samples.train, train.slice(0, 3));
  assert.deepEqual(held.samples.valid, train.slice(3));
  assert.deepEqual(held.histories.map(({ user, items }) => [user, items]), [["ann", [0, 1, 2]], ["ben", [
    4,
    5,
  ]]]);
  assert.equal(held.histories[0].times!.at(-1), 1);
  const whole = shop({});
  assert.equal(holdOut(whole, 0), whole);
});

Deno.test("without an order in time each user's last target goes, of as many users as rows", () => {
  const rows = [train[0], train[2], train[4], train[1], train[3], { user: "cat", history: [2], target: 0 }];
  const histories = [{ user: "ann", items: [0, 1, 2, 3] }, { user: "ben", items: [4, 5, 6] }, {
    user: "cat",
    items: [2, 0],
  }];
  const dataset = shop({ samples: { train: rows, valid: [], test: [] }, histories });
  const held = holdOut(dataset, 2);
  assert.deepEqual(held.samples.valid.map(({ user, target }) => [user, target]), [["ann", 3], ["ben", 6]]);
  assert.deepEqual(held.histories.map(({ items }) => items), [[0, 1, 2], [4, 5], [2, 0]]);
  assert.deepEqual(holdOut(dataset, 1).samples.valid.map(({ user }) => user), ["ann"]);
  assert.deepEqual([mostHeldOut(dataset), mostHeldOut(shop({}))], [3, 4]);
  // More than there are users with two: Ann's last but one too.
  const more = holdOut(dataset, 3);
  assert.deepEqual(more.samples.valid.map(({ user, target }) => [user, target]), [["ann", 2], ["ann", 3], [
    "ben",
    6,
  ]]);
  assert.deepEqual(more.histories.map(({ items }) => items), [[0, 1], [4, 5], [2, 0]]);
  assert.throws(
    () => holdOut(dataset, 4),
    new UserError(
      "Cannot hold out 4 train targets of two users: it has 6 train targets of 3 users, each of whom keeps one. Use " +
        "--holdout-rows 3 or less",
    ),
  );
});

Deno.test("as many rows as there are cannot be held out", () => {
  assert.throws(
    () => holdOut(shop({}), 5),
    new UserError(
      "Cannot hold out 5 train targets of two users: it has 5 train rows. Use --holdout-rows 4 or less",
    ),
  );
});

Deno.test("the built-in shop keeps its other splits and its rows in order", () => {
  const dataset = syntheticDataset({ seed: 1, items: 60, users: 80 });
  const held = holdOut(dataset, 50);
  assert.deepEqual([...held.samples.train, ...held.samples.valid], dataset.samples.train);
  assert.equal(held.samples.test, dataset.samples.test);
});

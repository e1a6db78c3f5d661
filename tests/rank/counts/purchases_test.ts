import assert from "node:assert/strict";
import { chainHistories } from "../../../data/histories.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { holdOut } from "../../../data/holdout.ts";
import { countAt } from "../../../rank/counts/sparse.ts";
import {
  countingBytes,
  countsFrom,
  countTensors,
  countTrain,
  reorderedCounts,
} from "../../../rank/counts/purchases.ts";

const items = Array.from({ length: 4 }, (_, item) => ({ title: `thing ${item}` }));
const train = [
  { user: "ann", history: [0], target: 1 },
  { user: "ann", history: [0, 1], target: 1 },
  { user: "ann", history: [0, 1, 1], target: 3 },
  ...Array.from({ length: 5 }, () => ({ user: "ben", history: [2], target: 3 })),
];
const shop = {
  items,
  samples: { train, valid: [{ user: "ann", history: [1], target: 2 }], test: [] },
  histories: chainHistories(train),
};

Deno.test("counts say at which distance what was bought after what, how often and how lately", () => {
  const { lags, together, bought, recent, repeats } = countTrain(shop);
  assert.deepEqual([countAt(lags[0], 0, 1), countAt(lags[0], 1, 1), countAt(lags[0], 1, 3)], [1, 1, 1]);
  assert.deepEqual([countAt(lags[1], 0, 1), countAt(lags[1], 1, 3), countAt(lags[2], 0, 3)], [1, 1, 1]);
  // Twice at a distance of 1 and 2: 1 + 1 / 2.
  assert.equal(countAt(together, 1, 3), 1.5);
  assert.equal(countAt(together, 0, 1), 1.5);
  assert.deepEqual([...bought], [0, 2, 0, 6]);
  assert.deepEqual([...recent], [0, 0, 0, 1]); // an eighth of 8 rows
  assert.deepEqual([...repeats], [0, 1, 0, 0]);
});

Deno.test("targets of other splits and held-out rows do not count", () => {
  const { bought, lags } = countTrain(shop);
  assert.equal(bought[2], 0);
  assert.equal(countAt(lags[0], 1, 2), 0);
  const held = countTrain({ ...holdOut({ ...shop, name: "", source: "", license: "", files: [] }, 5) });
  assert.deepEqual([...held.bought], [0, 2, 0, 1]);
  assert.equal(countAt(held.lags[0], 2, 3), 0);
});

Deno.test("recent purchases are each user's last where rows stand in no order of time", () => {
  const { recent } = countTrain({ ...shop, histories: [{ user: "ann", items: [0, 1, 1, 3] }] });
  assert.deepEqual([...recent], [0, 0, 0, 2]);
});

Deno.test("counts survive a file, and tensors that do not go together are none", () => {
  const dataset = syntheticDataset({ seed: 1, items: 60, users: 80 });
  const counts = countTrain(dataset);
  const tensors = countTensors(counts);
  assert.deepEqual(countsFrom(tensors, 60), counts);
  assert.equal(countsFrom(tensors, 61), undefined);
  assert.equal(countsFrom(new Map([...tensors].slice(1)), 60), undefined);
});

Deno.test("counts in another order of items are those of a dataset in that order", () => {
  const dataset = syntheticDataset({ seed: 1, items: 60, users: 80 });
  const order = dataset.items.map((_, i) => (7 * i + 3) % 60),
    places = order.map((_, item) => order.indexOf(item));
  const moved = dataset.samples.train.map(({ history, target, ...sample }) => ({
    ...sample,
    history: history.map((item) => places[item]),
    target: places[target],
  }));
  const there = {
    items: order.map((item) => dataset.items[item]),
    samples: { ...dataset.samples, train: moved },
    histories: dataset.histories.map((history) => ({
      ...history,
      items: history.items.map((item) => places[item]),
    })),
  };
  assert.notDeepEqual(countTrain(there), countTrain(dataset));
  assert.deepEqual(reorderedCounts(countTrain(dataset), order), countTrain(there));
});

Deno.test("the memory of counts is known before, and linear in the pairs of the train split", () => {
  const pair = (user: string) => [{ user, history: [0, 1], target: 2 }, { user, history: [2], target: 3 }];
  const of = (users: number) => {
    const rows = Array.from({ length: users }, (_, user) => pair(String(user))).flat();
    return countingBytes({ items, samples: { train: rows, valid: [], test: [] } });
  };
  // Three pairs a user: in the table of their distance, in that of all, and once more while that is made.
  assert.equal(of(2000) - of(1000), 1000 * 3 * 3 * 8);
});

import assert from "node:assert/strict";
import type { Dataset } from "../../../data/dataset.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { UserError } from "../../../base/user_error.ts";
import { type ItemGroup, PairData, pairGroups } from "../../../train/encoder_decoder/pair_data.ts";

const shop = syntheticDataset({ seed: 1, items: 60, users: 80 });

function groupsOf(data: PairData, epoch: number): ItemGroup[] {
  return Array.from({ length: data.steps(epoch) }, (_, step) => data.groups(epoch, step)).flat(2);
}

/** What a group teaches: "history -> target". */
const lessons = (groups: ItemGroup[]) =>
  groups.flatMap(({ history, targets }) =>
    targets.map(({ end, item }) => `${history.slice(0, end).join(" ")} -> ${item}`)
  );

Deno.test("an epoch of pairs has each train sample once, in another order each time", () => {
  const data = new PairData(shop, { causal: false, maxHistory: 3, itemsPerBatch: 16 }, 5);
  const expected = shop.samples.train.filter(({ history }) => history.length > 0)
    .map(({ history, target }) => `${history.slice(-3).join(" ")} -> ${target}`);
  const [first, second] = [0, 1].map((epoch) => lessons(groupsOf(data, epoch)));
  assert.deepEqual(first.toSorted(), expected.toSorted());
  assert.deepEqual(second.toSorted(), expected.toSorted());
  assert.notDeepEqual(first, second);
  assert.equal(data.epoch.targets, expected.length);
});

Deno.test("a step has so many micro batches, the last one of an epoch the rest", () => {
  const options = { causal: false, maxHistory: 3, itemsPerBatch: 16 };
  const single = new PairData(shop, options, 5),
    data = new PairData(shop, { ...options, accumulation: 4 }, 5);
  const batches = single.steps(0);
  assert.ok(batches % 4 > 0, `${batches} batches`);
  assert.equal(data.steps(0), Math.ceil(batches / 4));
  assert.equal(data.groups(0, 0).length, 4);
  assert.equal(data.groups(0, data.steps(0) - 1).length, batches % 4);
  assert.deepEqual(groupsOf(data, 0), groupsOf(single, 0));
});

Deno.test("a causal epoch has each item of a history but the first as a target once, after what fits before it", () => {
  const histories = [{ user: "a", items: [5, 6, 7, 8, 9, 5] }, { user: "b", items: [1] }, {
    user: "c",
    items: [2, 3],
  }];
  const dataset: Dataset = { ...shop, histories };
  const data = new PairData(dataset, { causal: true, maxHistory: 3, itemsPerBatch: 8 }, 5);
  assert.deepEqual(lessons(groupsOf(data, 0)).toSorted(), [
    "2 -> 3",
    "5 -> 6",
    "5 6 -> 7",
    "5 6 7 -> 8",
    "8 -> 9",
    "8 9 -> 5",
  ]);
});

Deno.test("steps stay within their capacity, and seed and epoch alone tell what is in them", () => {
  for (const causal of [false, true]) {
    const make = (seed: number) => new PairData(shop, { causal, maxHistory: 8, itemsPerBatch: 24 }, seed);
    const data = make(3);
    for (let step = 0; step < data.steps(1); step++) {
      const [groups] = data.groups(1, step);
      const items = groups.reduce((sum, { history }) => sum + history.length, 0);
      const pairs = groups.reduce((sum, { targets }) => sum + targets.length, 0);
      assert.ok(
        items <= data.capacity.items && pairs <= data.capacity.pairs,
        `${items} items, ${pairs} pairs`,
      );
    }
    const again = make(3);
    again.steps(4);
    assert.deepEqual(again.groups(1, 0), data.groups(1, 0));
    assert.notDeepEqual(make(4).groups(1, 0), data.groups(1, 0));
  }
});

Deno.test("pairs are written in the tokens of their items, whose lengths may differ", () => {
  const itemTokens = [[1, 2], [3], [4, 5, 6]].map((ids) => Uint32Array.from(ids));
  const groups = [{ history: [0, 1, 0], targets: [{ end: 1, item: 1 }, { end: 2, item: 2 }] }];
  assert.deepEqual(pairGroups(groups, itemTokens), [{
    input: Uint32Array.of(1, 2, 3, 1, 2),
    completions: [{ end: 2, targets: itemTokens[1] }, { end: 3, targets: itemTokens[2] }],
  }]);
});

Deno.test("data without histories and batches too small for one are refused", () => {
  const refused = (dataset: Dataset, itemsPerBatch: number, message: RegExp) =>
    assert.throws(
      () => new PairData(dataset, { causal: true, maxHistory: 8, itemsPerBatch }, 1),
      (error) => error instanceof UserError && message.test(error.message),
    );
  refused({ ...shop, histories: [{ user: "a", items: [1] }] }, 8, /no train sample has a history/);
  refused(shop, 2, /Cannot pack a sequence of \d+ tokens.*raise the batch size or shorten the histories/);
});

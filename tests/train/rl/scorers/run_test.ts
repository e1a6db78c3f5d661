import assert from "node:assert/strict";
import { askedTwice } from "../../../../train/rl/scorers/scorer.ts";
import { batched, listedPlaces } from "../../../../train/rl/scorers/run.ts";

Deno.test("batched() scores the histories of one moment together, each with its own scores", async () => {
  const calls: number[] = [];
  const scorer = batched(async function* (histories) {
    calls.push(histories.length);
    for (const [item] of histories) yield await Promise.resolve(Float32Array.of(item, -item));
  });
  const lists = await Promise.all([[3], [1, 4], [2]].map((history) => scorer.scores(history)));
  assert.deepEqual(lists.map(([first]) => first), [3, 1, 2]);
  assert.deepEqual(await scorer.scores([7]), Float32Array.of(7, -7));
  assert.deepEqual(calls, [3, 1]);
});

Deno.test("batched() tells every caller of a failure, and goes on", async () => {
  let fails = true;
  const scorer = batched(async function* (histories) {
    if (fails) throw new Error("no such item");
    for (const history of histories) yield await Promise.resolve(Float32Array.from(history));
  });
  const results = await Promise.allSettled([scorer.scores([1]), scorer.scores([2])]);
  assert.deepEqual(results.map(({ status }) => status), ["rejected", "rejected"]);
  fails = false;
  assert.deepEqual(await scorer.scores([5]), Float32Array.of(5));
});

Deno.test("listedPlaces() scores by the places of a list, items of one SID alike, in batches that the run takes", async () => {
  const asked: number[] = [];
  const run = {
    catalogue: { items: Array.from({ length: 6 }, (_, i) => ({ title: `${i}` })), names: [] },
    batchSize: () => Promise.resolve(2),
    recommend(requests: readonly { history: readonly number[] }[], { k }: { k: number }) {
      asked.push(requests.length);
      assert.equal(k, 3);
      return Promise.resolve(requests.map(({ history: [item] }) => [
        { name: "", items: [item, 5], score: 0 },
        { name: "", items: [], score: -1 },
        { name: "", items: [0], score: -2 },
      ]));
    },
  };
  const lists = await Array.fromAsync(listedPlaces(run, [[1], [2], [3]], 3));
  assert.deepEqual(lists.map((scores) => [...scores]), [
    [1, 3, 0, 0, 0, 3],
    [1, 0, 3, 0, 0, 3],
    [1, 0, 0, 3, 0, 3],
  ]);
  assert.deepEqual(asked, [2, 1]);
});

Deno.test("askedTwice() asks each recommender once for what is asked for twice, and keeps nothing after", async () => {
  const asked: number[][] = [];
  const scorer = (sign: number) => ({
    scores(history: readonly number[]) {
      asked.push([sign, ...history]);
      return Float32Array.of(sign * history[0]);
    },
  });
  const ask = askedTwice([scorer(1), scorer(-1)]);
  const first = await Promise.all([ask([3]), ask([4])]);
  assert.deepEqual(await Promise.all([ask([3]), ask([4])]), first);
  assert.deepEqual(first.map((lists) => lists.map(([score]) => score)), [[3, -3], [4, -4]]);
  assert.equal(asked.length, 4);
  await ask([3]);
  assert.equal(asked.length, 6);
});

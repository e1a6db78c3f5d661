import assert from "node:assert/strict";
import type { Recommender, RecommendRequest } from "../../../eval/recommender.ts";
import { askRuns, listLengthOf } from "../../../rank/lists/ask_runs.ts";

Deno.test("runs are asked side by side, and computed when all of them are", async () => {
  const events: string[] = [];
  const run = (name: string, items: number[]) => ({
    async recommend(
      requests: readonly RecommendRequest[],
      { wait }: Parameters<Recommender["recommend"]>[1],
    ) {
      events.push(`${name} is asked`);
      await wait!.begin!();
      wait!.onComputed!();
      events.push(`${name} is computed`);
      return requests.map(() => [{ name, items, score: items[0] }]);
    },
  });
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const lists = askRuns([run("a", [1, 2]), run("b", [3])], [{ history: [0] }, { history: [1] }], {
    k: 2,
    wait: { begin: () => begun, onComputed: () => events.push("all are computed") },
  });
  begin();
  const list = [{ items: [1, 2], scores: [1, 1], candidates: 2 }, {
    items: [3],
    scores: [3],
    candidates: 1,
  }];
  assert.deepEqual(await lists, [list, list]);
  assert.deepEqual(events, [
    "a is asked",
    "b is asked",
    "a is computed",
    "all are computed",
    "b is computed",
  ]);
});

Deno.test("no run is waited for before all are asked; one that fails holds up no other", async () => {
  const events: string[] = [];
  const run = (name: string, more: { fails?: boolean; ready?: Promise<void> } = {}) => ({
    async recommend(
      requests: readonly RecommendRequest[],
      { wait }: Parameters<Recommender["recommend"]>[1],
    ) {
      await more.ready;
      events.push(`${name} is asked`);
      if (more.fails) throw new Error(`${name} fails`);
      await wait!.begin!();
      events.push(`${name} is waited for`);
      return requests.map(() => []);
    },
  });
  const ready = new Promise<void>((resolve) => setTimeout(resolve, 10));
  await askRuns([run("a"), run("b", { ready })], [{ history: [0] }], { k: 1 });
  assert.deepEqual(events, ["a is asked", "b is asked", "a is waited for", "b is waited for"]);
  events.length = 0;
  const asked = askRuns([run("a"), run("b", { ready, fails: true })], [{ history: [0] }], { k: 1 });
  await assert.rejects(asked, /b fails/);
  await new Promise<void>((resolve) => setTimeout(resolve));
  assert.deepEqual(events, ["a is asked", "b is asked", "a is waited for"]);
});

Deno.test("a run that scores every item lists more than its candidates, another one its candidates alone", async () => {
  const asked: number[] = [];
  const run = (more: Pick<Recommender, "scoreItems">) => ({
    ...more,
    recommend: (requests: readonly RecommendRequest[], { k }: { k: number }) => {
      asked.push(k);
      // The items of a SID follow one another, so two names are three candidates.
      const listed = [[4, 5], [6], [7]].slice(0, k).map((items) => ({ name: "", items, score: -items[0] }));
      return Promise.resolve(requests.map(() => listed));
    },
  });
  const scoreItems = async function* () {};
  const lists = await askRuns([run({ scoreItems }), run({})], [{ history: [0] }], { k: 2, scored: 3 });
  assert.deepEqual(asked, [3, 2]);
  const [items, scores] = [[4, 5, 6], [-4, -4, -6]];
  assert.deepEqual(lists, [[
    { items: [...items, 7], scores: [...scores, -7], candidates: 3 },
    { items, scores, candidates: 3 },
  ]]);
  assert.deepEqual([
    listLengthOf({ scoreItems }, { k: 4, scored: 3 }),
    listLengthOf({ scoreItems }, { k: 4 }),
  ], [
    4,
    4,
  ]);
});

import assert from "node:assert/strict";
import type { Recommender, RecommendRequest } from "../../../eval/recommender.ts";
import { askRuns } from "../../../rank/lists/ask_runs.ts";

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
  const list = [{ items: [1, 2], scores: [1, 1] }, { items: [3], scores: [3] }];
  assert.deepEqual(await lists, [list, list]);
  assert.deepEqual(events, [
    "a is asked",
    "b is asked",
    "a is computed",
    "all are computed",
    "b is computed",
  ]);
});

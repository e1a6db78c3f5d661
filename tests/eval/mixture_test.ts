import assert from "node:assert/strict";
import { mixRanked, MixtureMeasurement } from "../../eval/mixture.ts";
import type { Ranked } from "../../eval/recommender.ts";

const MODEL: Ranked = { sids: ["a", "b"], scores: [Math.log(.06), Math.log(.02)] }; // shares .75 and .25
const COUNTS: Ranked = { sids: ["c", "b", "d"], scores: [6, 2, 0] }; // shares .75, .25 and 0

function assertRanked(actual: Ranked, sids: string[], scores: number[]) {
  assert.deepEqual(actual.sids, sids);
  scores.forEach((score, i) => assert.ok(Math.abs(actual.scores[i] - score) < 1e-12, `${actual.scores[i]}`));
}

Deno.test("mixRanked() weighs both lists and takes candidates of both", () => {
  // a .7 * .75, b .7 * .25 + .3 * .25, c .3 * .75
  assertRanked(mixRanked(MODEL, COUNTS, { weight: .3, k: 10 }), ["a", "b", "c", "d"], [.525, .25, .225, 0]);
  assertRanked(mixRanked(MODEL, COUNTS, { weight: .3, k: 2 }), ["a", "b"], [.525, .25]);
});

Deno.test("mixRanked() with weight 0 keeps the model's order, with weight 1 that of the counts", () => {
  assertRanked(mixRanked(MODEL, COUNTS, { weight: 0, k: 2 }), ["a", "b"], [.75, .25]);
  assertRanked(mixRanked(MODEL, COUNTS, { weight: 1, k: 2 }), ["c", "b"], [.75, .25]);
});

Deno.test("mixRanked() stands counts that are all 0 and scores far below 0", () => {
  const far = { sids: ["a", "b"], scores: [-2000, -2000] };
  const none = { sids: ["b", "a"], scores: [0, 0] };
  assertRanked(mixRanked(far, none, { weight: .5, k: 2 }), ["a", "b"], [.25, .25]);
});

Deno.test("mixRanked() refuses weights outside 0 to 1", () => {
  for (const weight of [-0.1, 1.1, NaN]) {
    assert.throws(() => mixRanked(MODEL, COUNTS, { weight, k: 2 }), RangeError);
  }
});

Deno.test("mixRanked() takes weights of a model as shares", () => {
  // a 3 of 4, b 1 of 4; as logits a would have all but e^-2 of it.
  const weights: Ranked = { sids: ["a", "b"], scores: [3, 1] };
  const options = { weight: .5, k: 2, scoreUnit: "weight" } as const;
  assertRanked(mixRanked(weights, { sids: [], scores: [] }, options), ["a", "b"], [.375, .125]);
  const none: Ranked = { sids: ["a", "b"], scores: [0, 0] };
  assertRanked(mixRanked(none, COUNTS, options), ["c", "b"], [.375, .125]);
});

Deno.test("MixtureMeasurement mixes row by row with what was bought after the history", async () => {
  // After item 0 came item 1, after 1 nothing: the first user's target is the counts' first, the second's is not listed.
  const bought = (history: number[], target: number) => ({ user: "u", history, target });
  const measurement = new MixtureMeasurement({
    split: "test",
    train: [bought([0], 1)],
    items: ["a", "b", "c"].map((title) => ({ title })),
    sids: ["0", "1", "2"],
    beams: 1,
    ks: [1],
    seed: 1,
  }, { weight: .9 });
  const row = { rank: null, items: [2], titles: ["c"], scores: [-1] };
  await measurement.add({ row: 0, ...bought([0], 1), ...row });
  await measurement.add({ row: 1, ...bought([1], 0), ...row });
  const { users, hr } = measurement.evaluation(0);
  assert.deepEqual([users, hr[1]], [2, .5]);
});

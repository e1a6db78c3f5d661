import assert from "node:assert/strict";
import { mixedRecommender, mixRanked } from "../../eval/mixture.ts";
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

Deno.test("mixedRecommender() mixes sample by sample", async () => {
  const recommend = mixedRecommender(
    (samples) => Promise.resolve(samples.map(({ target }) => target === 0 ? MODEL : COUNTS)),
    (samples) => Promise.resolve(samples.map(() => COUNTS)),
    { weight: 1, k: 1 },
  );
  const lists = await recommend([0, 1].map((target) => ({ user: "u", history: [], target })));
  lists.forEach((ranked) => assertRanked(ranked, ["c"], [.75]));
  assert.equal(lists.length, 2);
});

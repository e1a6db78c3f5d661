import assert from "node:assert/strict";
import { freshRlState, type RlState } from "../../../train/rl/state.ts";
import { verdict as verdictOf } from "../../../train/rl/verdict.ts";

const state = (step: number, firstRanks: number[], bestRanks: number[]): RlState => ({
  ...freshRlState(),
  step: 40,
  validations: 5,
  best: { step, score: 0, stale: 0 },
  firstRanks,
  bestRanks,
});
/** Of samples whose targets have a SID of their own. */
const verdict = (state: RlState, seed: number) =>
  verdictOf(state, new Float64Array(state.firstRanks.length).fill(1), seed);
const ofRank1 = 1 / Math.log2(3);

Deno.test("verdict() says that RL helped where the whole interval is above 0", () => {
  const ranks = (rank: number) => Array<number>(50).fill(rank);
  const { keptStep, difference, ci95, before, text } = verdict(state(30, ranks(-1), ranks(1)), 1);
  assert.deepEqual([keptStep, before], [30, 0]);
  for (const value of [difference, ...ci95]) assert.ok(Math.abs(value - ofRank1) < 1e-12, `${value}`);
  assert.match(
    text,
    /^RL helped: valid NDCG@10 \+0\.6309 ± 0\.0000 over SFT \(0\.0000\), 50 samples; kept step 30 of 40\./,
  );
});

Deno.test("verdict() does not claim what the samples cannot tell", () => {
  // One sample of fifty has become better: a bootstrap that leaves it out shows no gain.
  const first = Array<number>(50).fill(0);
  first[0] = -1;
  const { difference, ci95, text } = verdict(state(30, first, Array<number>(50).fill(0)), 1);
  assert.ok(Math.abs(difference - 1 / 50) < 1e-12 && ci95[0] === 0 && ci95[1] > difference);
  assert.match(text, /^RL may have helped: .*holds 0: more --eval-samples would tell$/);
});

Deno.test("verdict() counts ranks beyond 10 and targets not found as 0", () => {
  const { difference, before } = verdict(state(30, [10, -1, 0, 0], [1, 1, 0, 0]), 1);
  assert.ok(Math.abs(difference - ofRank1 / 2) < 1e-12);
  assert.equal(before, 0.5);
});

Deno.test("verdict() says where the first weights were the best", () => {
  const { keptStep, difference, text } = verdict(state(0, [0, -1], [0, -1]), 1);
  assert.deepEqual([keptStep, difference], [0, 0]);
  assert.match(
    text,
    /^RL did not help: no validation of 4 was above the 0\.5000 of SFT, whose weights are kept\./,
  );
});

Deno.test("verdict() counts a target whose SID two items share half", () => {
  const { difference, before } = verdictOf(state(30, [-1, 0], [0, 0]), Float64Array.of(2, 1), 1);
  assert.deepEqual([difference, before], [0.25, 0.5]);
});

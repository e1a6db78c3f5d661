import assert from "node:assert/strict";
import { DiagnosticSums, passAtK, type ScoredGroup } from "../../../train/rl/diagnostics.ts";
import type { UpdateStatistics } from "../../../train/rl/policy/update.ts";

/**
 * A group of one answer an item, whose leaf is the item; `values` of its only reward; item `added` was not written, and the
 * last `guided` answers were.
 */
function scored(
  items: number[],
  target: number,
  values: number[],
  ranked: boolean,
  { added = -1, guided = 0 } = {},
): ScoredGroup {
  const total = Float64Array.from(values);
  return {
    group: {
      example: { prompt: Uint32Array.of(1), targets: [target], history: [], task: 0 },
      completions: items.map((item, i) => ({
        leaf: item,
        items: [item],
        tokens: Uint32Array.of(item),
        nodes: Uint32Array.of(0),
        logProb: item === added ? -Infinity : 0,
        given: i >= items.length - guided ? 1 : 0,
      })),
      ranked,
    },
    total,
    byReward: [total.map((value) => 2 * value)],
    hits: items.map((item) => item === target),
  };
}

const statistics: UpdateStatistics = {
  policyLoss: 0.5,
  klLoss: 0,
  supervisedLoss: 3,
  kl: 0.3,
  clipped: 2,
  tokens: 8,
  entropy: 6,
  rows: 4,
  maxLogRatio: 0,
  gradientNorm: 3,
  overflowed: false,
  bad: false,
};

Deno.test("passAtK() is 1 - C(n - found, k) / C(n, k)", () => {
  // Of the 6 pairs of 4 answers, 3 have the one that is right, 5 one of the two.
  assert.equal(passAtK(4, 0, 2), 0);
  assert.equal(passAtK(4, 1, 2), 0.5);
  assert.ok(Math.abs(passAtK(4, 2, 2) - 5 / 6) < 1e-12);
  assert.equal(passAtK(4, 3, 2), 1);
  assert.equal(passAtK(4, 1, 1), 0.25);
  assert.equal(passAtK(4, 1, 4), 1);
});

Deno.test("DiagnosticSums.take() has means over groups, tokens and steps", () => {
  const sums = new DiagnosticSums(["own"]);
  sums.addGroups([
    scored([5, 6, 7, 8], 6, [0, 2, 0, 2], true),
    scored([5, 5, 7, 9], 1, [1, 1, 1, 1], false),
    scored([3, 5, 3, 9], 3, [0, 0, 0, 4], false),
  ]);
  sums.addUpdate(statistics);
  // Groups of equal rewards alone: what they say of the policy counts, and the update is none.
  sums.addUpdate({ ...statistics, policyLoss: 0, supervisedLoss: 0, gradientNorm: 0 });
  assert.equal(sums.kl, 0.3 / 8);
  assert.deepEqual(sums.take(), {
    reward: 1,
    rewardStd: Number(((Math.sqrt(4 / 3) + 2) / 3).toFixed(4)),
    rewards: { own: { mean: 2, std: Number((2 * (Math.sqrt(4 / 3) + 2) / 3).toFixed(4)) } },
    hitGroups: 0.6667,
    zeroVariance: 0.3333,
    unrewarded: 0,
    // Ranked: the hit is second. Drawn: none, and two of four.
    passAt: { 1: 0.1667, 2: 0.6111, 4: 0.6667 },
    diversity: 0.8333,
    invalid: 0,
    kl: 0.0375,
    entropy: 1.5,
    clipShare: 0.25,
    gradNorm: 1.5,
    policyLoss: 0.25,
    supervisedLoss: 1.5,
    tokens: 16,
  });
  assert.equal(sums.take().reward, 0, "a line starts afresh");
});

Deno.test("DiagnosticSums tells the loss scale and all skipped updates, whose norm is none", () => {
  const sums = new DiagnosticSums(["own"]);
  sums.addUpdate({ ...statistics, gradientNorm: NaN, overflowed: true, lossScale: 512, skipped: 7 });
  const saved = new DiagnosticSums(["own"], JSON.parse(JSON.stringify(sums)));
  saved.addUpdate({ ...statistics, lossScale: 512, skipped: 7 });
  const { gradNorm, policyLoss, lossScale, skippedUpdates } = saved.take();
  assert.deepEqual([gradNorm, policyLoss, lossScale, skippedUpdates], [3, 0.5, 512, 7]);
});

Deno.test("a target that was put into a group is no hit of the model", () => {
  for (const ranked of [true, false]) {
    const sums = new DiagnosticSums(["own"]);
    sums.addGroups([scored([5, 6], 6, [0, 1], ranked, { added: 6 })]);
    const { hitGroups, passAt, reward } = sums.take();
    assert.deepEqual({ hitGroups, passAt, reward }, { hitGroups: 0, passAt: { 1: 0, 2: 0 }, reward: 0.5 });
  }
});

Deno.test("guided answers are rewarded, but none of them is a hit of the model, or one of the k that it wrote", () => {
  const sums = new DiagnosticSums(["own"]);
  sums.addGroups([scored([5, 6, 6, 6], 6, [0, 1, 1, 1], false, { guided: 2 })]);
  sums.addGroups([scored([5, 7, 6, 6], 6, [0, 0, 1, 1], false, { guided: 2 })]);
  const { hitGroups, passAt, reward } = sums.take();
  assert.deepEqual({ hitGroups, passAt, reward }, {
    hitGroups: 0.5,
    passAt: { 1: 0.25, 2: 0.5 },
    reward: 0.625,
  });
});

Deno.test("DiagnosticSums restored from JSON equals one that was not interrupted", () => {
  const groups = [scored([5, 6], 6, [0.1, 0.7], true), scored([4, 4], 9, [0.3, 0.3], true)];
  const whole = new DiagnosticSums(["own"]);
  let parts = new DiagnosticSums(["own"]);
  for (const group of groups) {
    whole.addGroups([group]);
    whole.addUpdate(statistics);
    parts = new DiagnosticSums(["own"], JSON.parse(JSON.stringify(parts)));
    parts.addGroups([group]);
    parts.addUpdate(statistics);
  }
  assert.deepEqual(parts.take(), whole.take());
});

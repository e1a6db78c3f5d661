import assert from "node:assert/strict";
import {
  groupAdvantages,
  groupStatistics,
  levelAdvantages,
  siblingAdvantages,
} from "../../../train/rl/advantages.ts";
import fc from "../../property.ts";

function near(actual: ArrayLike<number>, expected: number[], tolerance = 5e-6) {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) =>
    assert.ok(Math.abs(actual[i] - value) <= tolerance, `${i}: ${actual[i]}, expected ${value}`)
  );
}

const one = (rewards: number[], scale: "group" | "none" | "batch", epsilon?: number) =>
  groupAdvantages([Float64Array.from(rewards)], { scale, epsilon })[0];

Deno.test("groupAdvantages() are MiniOneRec's for a hit at rank 1 of 4", () => {
  near(one([-0.390380, 1, -0.195190, -0.168128], "group"), [-0.71342, 1.48133, -0.40531, -0.36259]);
  near(one([0, 1, 0, 0], "group"), [-0.49990, 1.49970, -0.49990, -0.49990]);
  // ETEGRec's 1e-8: 0.75 / 0.5.
  near(one([0, 1, 0, 0], "group", 1e-8), [-0.5, 1.5, -0.5, -0.5], 1e-7);
});

Deno.test("groupAdvantages() unscaled are rewards less their mean", () => {
  near(one([0, 1, 0, 0], "none"), [-0.25, 0.75, -0.25, -0.25], 1e-15);
});

Deno.test("groupAdvantages() of the batch share one divisor", () => {
  const groups = [Float64Array.of(0, 2), Float64Array.of(0, 1)];
  const [first, second] = groupAdvantages(groups, { scale: "batch", epsilon: 0 });
  // Centred: -1, 1, -0.5, 0.5; sum of squares 2.5, divided by 3.
  const std = Math.sqrt(2.5 / 3);
  near(first, [-1 / std, 1 / std], 1e-12);
  near(second, [-0.5 / std, 0.5 / std], 1e-12);
});

Deno.test("groupAdvantages() of equal rewards are exactly 0, whatever the mean rounds to", () => {
  for (const scale of ["group", "none", "batch"] as const) {
    const [equal] = groupAdvantages([new Float64Array(3).fill(0.1), Float64Array.of(1, 2)], { scale });
    assert.deepEqual([...equal], [0, 0, 0]);
  }
  assert.deepEqual([...one([5], "group")], [0]);
  assert.deepEqual(groupStatistics(new Float64Array(3).fill(0.1)).zeroVariance, true);
  assert.deepEqual(groupStatistics(Float64Array.of(0, 1, 0, 0)), {
    mean: 0.25,
    std: 0.5,
    zeroVariance: false,
  });
});

Deno.test("groupAdvantages() sum to 0 and keep the order of the rewards", () => {
  const rewards = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 2, maxLength: 16 });
  fc.assert(fc.property(fc.array(rewards, { minLength: 1, maxLength: 4 }), (lists) => {
    for (const scale of ["group", "none", "batch"] as const) {
      groupAdvantages(lists.map((list) => Float64Array.from(list)), { scale }).forEach((advantages, g) => {
        const size = Math.max(...advantages.map(Math.abs));
        assert.ok(Math.abs(advantages.reduce((a, b) => a + b, 0)) <= 1e-9 * Math.max(1, size));
        for (let i = 1; i < advantages.length; i++) {
          if (lists[g][i] > lists[g][i - 1]) assert.ok(advantages[i] >= advantages[i - 1]);
        }
      });
    }
  }));
});

Deno.test("levelAdvantages() compare completions at each level alone", () => {
  // HEPO: both levels right, the first alone, none; the last SID is shorter.
  const levels = [Float64Array.of(1, 0.8), Float64Array.of(0.2, 0), Float64Array.of(0)];
  const [advantages] = levelAdvantages([levels], { scale: "none" });
  near(advantages[0], [0.6, 0.4], 1e-12);
  near(advantages[1], [-0.2, -0.4], 1e-12);
  near(advantages[2], [-0.4], 1e-12);
  const [scaled] = levelAdvantages([levels], { scale: "group", epsilon: 0 });
  near(scaled[0], [0.6 / Math.sqrt(0.28), Math.SQRT1_2], 1e-12);
});

Deno.test("siblingAdvantages() compare tokens after the same prefix, by the mean of the answers that go on from them", () => {
  const answers = [[1, 5, 7], [1, 5, 8], [1, 6, 7], [2, 5, 7]];
  const values = [1, 0, 0, 0].map((reward) => new Float64Array(3).fill(reward));
  const [advantages] = siblingAdvantages([{ answers, values }], { scale: "none" });
  // After nothing: 1 is worth 1/3, 2 nothing. After 1: 5 is worth 1/2, 6 nothing. After 1, 5: 7 is worth 1, 8 nothing.
  near(advantages[0], [1 / 6, 1 / 4, 1 / 2], 1e-12);
  near(advantages[1], [1 / 6, 1 / 4, -1 / 2], 1e-12);
  // Without siblings there is nothing to learn: 7 after 1, 6.
  near(advantages[2], [1 / 6, -1 / 4, 0], 1e-12);
  near(advantages[3], [-1 / 6, 0, 0], 1e-12);
});

Deno.test("siblingAdvantages() of answers that differ in their first token alone are those of the group", () => {
  const rewards = [0, 1, 0.5, 0];
  const values = rewards.map((reward) => new Float64Array(2).fill(reward));
  const [advantages] = siblingAdvantages([{ answers: [[1, 0], [2, 0], [3, 0], [4, 0]], values }], {
    scale: "group",
  });
  const expected = one(rewards, "group");
  advantages.forEach((row, i) => near(row, [expected[i], 0], 1e-12));
});

Deno.test("siblingAdvantages() of a shared prefix and of equal rewards are exactly 0", () => {
  const equal = { answers: [[1, 2], [1, 3]], values: [Float64Array.of(.1, .1), Float64Array.of(.1, .1)] };
  const shared = { answers: [[1, 2], [1, 3]], values: [Float64Array.of(1, 1), Float64Array.of(0, 0)] };
  const [none, some] = siblingAdvantages([equal, shared], { scale: "group" });
  assert.deepEqual(none.flatMap((row) => [...row]), [0, 0, 0, 0]);
  assert.deepEqual(some.map(([first]) => first), [0, 0]);
  assert.ok(some[0][1] > 0 && some[1][1] < 0);
});

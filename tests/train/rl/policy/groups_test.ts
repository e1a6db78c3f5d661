import assert from "node:assert/strict";
import { objectiveMethod } from "../../../../train/rl/objectives/by_name.ts";
import { policyGroups } from "../../../../train/rl/policy/groups.ts";
import type { AnswerGroup, GroupAnswer } from "../../../../train/rl/rollout.ts";
import type { GroupScore } from "../../../../train/rl/reward_set.ts";

/** Leaf n is the SID of item n: two tokens, item 3's one. */
const answer = (leaf: number): GroupAnswer => {
  const tokens = leaf === 3 ? Uint32Array.of(13) : Uint32Array.of(10, leaf);
  return { leaf, items: [leaf], tokens, nodes: tokens.map((_, place) => place), logProb: 0, given: 0 };
};
const rollout = { answerFor: (_example: unknown, item: number) => answer(item) };

const groupOf = (target: number, leaves: number[]): AnswerGroup => ({
  example: { prompt: Uint32Array.of(1, target), targets: [target], history: [], task: 0 },
  completions: leaves.map(answer),
  ranked: true,
});
const scoreOf = (total: number[], levels?: number[][]): GroupScore => ({
  total: Float64Array.from(total),
  byReward: [],
  levels: levels?.map((values) => Float64Array.from(values)),
  hits: [],
});

const groups = [groupOf(0, [0, 1]), groupOf(2, [1, 3])];
const scores = [scoreOf([1, 0]), scoreOf([0.5, 0.5])];
const settings = { advantages: "sid", skipZeroVariance: true, sftLossWeight: 0 } as const;
const grpo = objectiveMethod("grpo");
/** (1 - mean) / (std + 1e-4) for rewards 1 and 0. */
const one = 0.5 / (Math.SQRT1_2 + 1e-4);

Deno.test("policyGroups() leaves out groups without advantages, which still count in the mean", () => {
  const [group, ...others] = policyGroups(groups, scores, rollout, grpo, settings);
  assert.equal(others.length, 0);
  assert.deepEqual(group.prompt, Uint32Array.of(1, 0));
  const advantages = group.advantages.map((values) => [...values as Float64Array]);
  assert.deepEqual(advantages, [[one, one], [-one, -one]]);
  // Four completions, two tokens each.
  assert.deepEqual(group.weights, [1 / 8, 1 / 8]);
  assert.deepEqual(group.supervised, [0, 0]);

  const kept = policyGroups(groups, scores, rollout, grpo, { ...settings, skipZeroVariance: false });
  assert.deepEqual(kept.map(({ weights }) => weights), [[1 / 8, 1 / 8], [1 / 8, 1 / 4]]);
  assert.deepEqual(kept[0], group);
  assert.deepEqual(kept[1].advantages.map((values) => [...values as Float64Array]), [[0, 0], [0]]);
});

Deno.test("policyGroups() gives every level its own advantage where rewards have levels", () => {
  const byLevel = [scoreOf([1, 0], [[1, 1], [1, 0]]), scoreOf([0.5, 0.5])];
  const level = { ...settings, advantages: "level" as const };
  const [group] = policyGroups(groups, byLevel, rollout, grpo, level);
  const advantages = group.advantages.map((values) => [...values as Float64Array]);
  assert.deepEqual(advantages, [[0, one], [0, -one]]);
});

Deno.test("policyGroups() learns nothing from tokens that were given", () => {
  const [{ example, ranked, completions: [own, guided] }] = groups;
  const asked = [{ example, ranked, completions: [own, { ...guided, given: 1 }] }];
  const [{ advantages }] = policyGroups(asked, [scoreOf([1, 0])], rollout, grpo, settings);
  assert.deepEqual(advantages.map((values) => [...values as Float64Array]), [[one, one], [0, -one]]);
});

Deno.test("policyGroups() compares tokens with their siblings, and what was normalised goes before totals", () => {
  const sibling = { ...settings, advantages: "sibling" as const };
  const rows = (score: GroupScore) =>
    policyGroups([groups[0]], [score], rollout, grpo, sibling)[0].advantages.map((
      values,
    ) => [...values as Float64Array]);
  // Both answers begin alike.
  assert.deepEqual(rows(scoreOf([1, 0])), [[0, one], [0, -one]]);
  assert.deepEqual(rows({ ...scoreOf([1, 0]), normalised: Float64Array.of(0, 1) }), [[0, -one], [0, one]]);
});

Deno.test("policyGroups() adds the cross-entropy of the target at the answer that is it, or at one more", () => {
  const weighed = { ...settings, sftLossWeight: 0.6 };
  const [found, added] = policyGroups(groups, scores, rollout, grpo, weighed);
  // A mean over two prompts and over the target's two tokens.
  assert.deepEqual(found.supervised, [0.15, 0]);
  assert.equal(found.completions.length, 2);
  assert.deepEqual(added.completions, [Uint32Array.of(10, 1), Uint32Array.of(13), Uint32Array.of(10, 2)]);
  assert.deepEqual(added.nodes[2], Uint32Array.of(0, 1));
  assert.deepEqual(added.supervised, [0, 0, 0.15]);
  // It was not an answer: nothing of the policy gradient and of the KL divergence is of it.
  assert.deepEqual(added.weights, [1 / 8, 1 / 4, 0]);
  assert.deepEqual([...added.advantages[2] as Float64Array], [0, 0]);
});

Deno.test("policyGroups() adds what is taught in place of a target by its shares, items of one SID together", () => {
  const weighed = { ...settings, sftLossWeight: 0.6 };
  const taught = [{ item: 0, share: 0.5 }, { item: 0, share: 0.25 }, { item: 2, share: 0.25 }];
  const open = groups.map((group) => ({ ...group, example: { ...group.example, targets: [] } }));
  const [first] = policyGroups(open, scores.map((score) => ({ ...score, taught })), rollout, grpo, weighed);
  const { supervised, completions } = first;
  const byAnswer = new Map(completions.map((tokens, i) => [tokens.join(), supervised[i] * tokens.length]));
  const expected = (item: number) => rollout.answerFor(open[0].example, item).tokens.join();
  assert.ok(Math.abs(byAnswer.get(expected(0))! - 0.6 * 0.75 / 2) < 1e-12);
  assert.ok(Math.abs(byAnswer.get(expected(2))! - 0.6 * 0.25 / 2) < 1e-12);
});

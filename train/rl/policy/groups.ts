import { type AdvantageOptions, groupAdvantages, levelAdvantages, siblingAdvantages } from "../advantages.ts";
import { actionWeights, type ObjectiveMethod } from "../objectives/objective.ts";
import type { GroupScore } from "../reward_set.ts";
import type { RlConfig } from "../config.ts";
import type { PolicyGroup } from "./batch.ts";
import type { AnswerGroup, Rollout } from "../rollout.ts";

/**
 * Groups of a step as the update learns from them: advantages from rewards, shares of the loss from the objective's
 * reduction, and, with a weight for it, the cross-entropy of the targets, or of what is taught in their place. Groups without advantages are left out where
 * `skipZeroVariance` says so and nothing else is to be learned from them; they still count in the reduction.
 */
export function policyGroups(
  groups: readonly AnswerGroup[],
  scores: readonly GroupScore[],
  rollout: Pick<Rollout, "answerFor">,
  { advantageScale, advantageEpsilon, reduction }: ObjectiveMethod,
  { advantages: unit, skipZeroVariance, sftLossWeight }: Pick<
    RlConfig,
    "advantages" | "skipZeroVariance" | "sftLossWeight"
  >,
): PolicyGroup[] {
  const options = { scale: advantageScale, epsilon: advantageEpsilon };
  const byLevel = advantagesBy[unit](groups, scores, options);
  const lengths = groups.flatMap(({ completions }) => completions.map(({ tokens }) => tokens.length));
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const shares = actionWeights(reduction, lengths, longest);
  const result: PolicyGroup[] = [];
  let first = 0;
  groups.forEach(({ example, completions }, g) => {
    // Tokens that the model did not choose teach nothing.
    const advantages = byLevel[g].map((values, i) => values.fill(0, 0, completions[i].given));
    const weights = Array.from(shares.slice(first, first += completions.length));
    const learns = advantages.some((values) => values.some((value) => value !== 0));
    if (skipZeroVariance && !learns && sftLossWeight === 0) return;
    const group = {
      prompt: example.prompt,
      completions: completions.map(({ tokens }) => tokens),
      nodes: completions.map(({ nodes }) => nodes),
      advantages: [...advantages],
      weights,
      supervised: completions.map(() => 0),
    };
    if (sftLossWeight > 0) {
      const taught = scores[g].taught ?? [{ item: example.targets[0], share: 1 }];
      for (const { item, share } of taught) {
        addTarget(group, completions, rollout.answerFor(example, item), share / groups.length);
      }
    }
    result.push(group);
  });

  /** `share` of a target's mean cross-entropy a token, at the answer that is it or at one more. */
  function addTarget(
    group: PolicyGroup & { completions: Uint32Array[]; weights: number[]; supervised: number[] } & {
      nodes: Uint32Array[];
      advantages: Float64Array[];
    },
    answers: AnswerGroup["completions"],
    { leaf, tokens, nodes }: ReturnType<Rollout["answerFor"]>,
    share: number,
  ): void {
    let place = answers.findIndex((answer) => answer.leaf === leaf);
    // Items of one SID are one answer.
    if (place < 0) place = group.completions.indexOf(tokens, answers.length);
    if (place < 0) {
      place = group.completions.push(tokens) - 1;
      group.nodes.push(nodes);
      group.advantages.push(new Float64Array(tokens.length));
      group.weights.push(0);
      group.supervised.push(0);
    }
    group.supervised[place] += sftLossWeight * share / group.completions[place].length;
  }
  return result;
}

type AdvantagesOf = (
  groups: readonly AnswerGroup[],
  scores: readonly GroupScore[],
  options: AdvantageOptions,
) => Float64Array[][];

/** Advantages of each token of each answer of each group, by what they are computed for. */
const advantagesBy: Record<RlConfig["advantages"], AdvantagesOf> = {
  sid: (groups, scores, options) =>
    groupAdvantages(scores.map(({ total, normalised = total }) => normalised), options).map((values, g) =>
      groups[g].completions.map(({ tokens }, i) => new Float64Array(tokens.length).fill(values[i]))
    ),
  level: (groups, scores, options) =>
    levelAdvantages(groups.map((group, g) => worths(group, scores[g])), options),
  sibling: (groups, scores, options) =>
    siblingAdvantages(
      groups.map((group, g) => ({
        answers: group.completions.map(({ tokens }) => tokens),
        values: worths(group, scores[g]),
      })),
      options,
    ),
};

/** What answers (G) are worth by level; at every level the same where rewards do not tell them apart. */
function worths({ completions }: AnswerGroup, { levels, total, normalised }: GroupScore): Float64Array[] {
  if (levels && !normalised) return levels;
  const values = normalised ?? total;
  return completions.map(({ tokens }, i) => new Float64Array(tokens.length).fill(values[i]));
}

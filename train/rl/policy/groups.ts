import { groupAdvantages, levelAdvantages } from "../advantages.ts";
import { actionWeights, type ObjectiveMethod } from "../objectives/objective.ts";
import type { GroupScore } from "../reward_set.ts";
import type { RlConfig } from "../config.ts";
import type { PolicyGroup } from "./batch.ts";
import type { AnswerGroup, Rollout } from "../rollout.ts";

/**
 * Groups of a step as the update learns from them: advantages from rewards, shares of the loss from the objective's
 * reduction, and, with a weight for it, the cross-entropy of the targets. Groups without advantages are left out where
 * `skipZeroVariance` says so and nothing else is to be learned from them; they still count in the reduction.
 */
export function policyGroups(
  groups: readonly AnswerGroup[],
  scores: readonly GroupScore[],
  rollout: Pick<Rollout, "answerFor">,
  { advantageScale, advantageEpsilon, reduction }: ObjectiveMethod,
  { advantages: level, skipZeroVariance, sftLossWeight }: Pick<
    RlConfig,
    "advantages" | "skipZeroVariance" | "sftLossWeight"
  >,
): PolicyGroup[] {
  const options = { scale: advantageScale, epsilon: advantageEpsilon };
  const byLevel = level === "level"
    ? levelAdvantages(
      groups.map(({ completions }, g) =>
        scores[g].levels ??
          completions.map(({ tokens }, i) => new Float64Array(tokens.length).fill(scores[g].total[i]))
      ),
      options,
    )
    : groupAdvantages(scores.map(({ total }) => total), options).map((values, g) =>
      groups[g].completions.map(({ tokens }, i) => new Float64Array(tokens.length).fill(values[i]))
    );
  const lengths = groups.flatMap(({ completions }) => completions.map(({ tokens }) => tokens.length));
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const shares = actionWeights(reduction, lengths, longest);
  const result: PolicyGroup[] = [];
  let first = 0;
  groups.forEach(({ example, completions }, g) => {
    const advantages = byLevel[g];
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
      addTarget(group, completions, rollout.answerFor(example, example.targets[0]), groups.length);
    }
    result.push(group);
  });

  /** The mean over prompts of the target's mean cross-entropy a token, at the answer that is it or at one more. */
  function addTarget(
    group: PolicyGroup & { completions: Uint32Array[]; weights: number[]; supervised: number[] } & {
      nodes: Uint32Array[];
      advantages: Float64Array[];
    },
    answers: AnswerGroup["completions"],
    { leaf, tokens, nodes }: ReturnType<Rollout["answerFor"]>,
    prompts: number,
  ): void {
    let place = answers.findIndex((answer) => answer.leaf === leaf);
    if (place < 0) {
      place = group.completions.push(tokens) - 1;
      group.nodes.push(nodes);
      group.advantages.push(new Float64Array(tokens.length));
      group.weights.push(0);
      group.supervised.push(0);
    }
    group.supervised[place] = sftLossWeight / (prompts * group.completions[place].length);
  }
  return result;
}

import type { PolicyObjective } from "../../../kernels/policy/loss.ts";
import type { AdvantageScale } from "../advantages.ts";

/**
 * How the losses of tokens become the loss of a step: `sequence-mean` the mean over completions of their mean over
 * tokens, `token-mean` the mean over all tokens, `constant` the sum over completions' tokens by the longest length
 * possible, averaged over completions.
 */
export type Reduction = "sequence-mean" | "token-mean" | "constant";

/** A way to learn from scored completions: a line of the registry. */
export interface ObjectiveMethod {
  /** Name for `--loss`. */
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  /** Paper or project. */
  readonly source: string;
  /** Ratio, its bounds and the estimator of the KL divergence, whose weight is a setting of the run. */
  readonly objective: Readonly<Omit<PolicyObjective, "klCoefficient">>;
  /** What the ratio's denominator is: the policy that wrote the completions, or the frozen reference. */
  readonly ratioAgainst: "old" | "reference";
  /** What rewards less their group's mean are divided by. */
  readonly advantageScale: AdvantageScale;
  /** Added to that divisor. */
  readonly advantageEpsilon: number;
  /** Weights of the tokens. */
  readonly reduction: Reduction;
}

/**
 * The objective with its weight of the KL divergence. `beta` weighs the divergence that the method speaks of: of a token
 * on average, or, where the ratio is that of the whole completion (`sequence-sum`), of the completion, which is `depth`
 * times as much for completions of `depth` tokens.
 */
export function policyObjective(
  { objective }: ObjectiveMethod,
  beta: number,
  depth: number,
): PolicyObjective {
  return { ...objective, klCoefficient: objective.ratio === "sequence-sum" ? beta * depth : beta };
}

/**
 * Weight of each token of each completion, (Cn), such that the step's loss is the weighted sum of its tokens' losses.
 * `lengths` are the tokens of all completions of the step, those of skipped groups included; `maxLength` is the longest
 * that there may be. A completion without tokens gets 0.
 */
export function actionWeights(
  reduction: Reduction,
  lengths: ArrayLike<number>,
  maxLength: number,
): Float64Array {
  const counts = Float64Array.from(lengths);
  const tokens = counts.reduce((sum, length) => sum + length, 0);
  const divisors = {
    "sequence-mean": (length: number) => counts.length * length,
    "token-mean": () => tokens,
    "constant": () => counts.length * maxLength,
  };
  return counts.map((length) => length === 0 ? 0 : 1 / divisors[reduction](length));
}

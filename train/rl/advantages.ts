import { mean as meanOf } from "../../eval/metrics.ts";

/**
 * What rewards less the mean of their group are divided by: `group` its standard deviation (GRPO, arXiv:2402.03300),
 * `none` nothing (Dr. GRPO, arXiv:2503.20783), `batch` the standard deviation of all groups of the step (REINFORCE++
 * with baseline, arXiv:2501.03262).
 */
export const ADVANTAGE_SCALES = ["group", "none", "batch"] as const;
/** One of {@link ADVANTAGE_SCALES}. */
export type AdvantageScale = typeof ADVANTAGE_SCALES[number];

/** How rewards become advantages. */
export interface AdvantageOptions {
  /** The divisor. */
  scale: AdvantageScale;
  /** Added to the standard deviation; default 1e-4 as in MiniOneRec and TRL. */
  epsilon?: number;
}

/** What happened in a group. */
export interface GroupStatistics {
  /** Mean reward. */
  mean: number;
  /** Standard deviation of the rewards, n - 1 in the divisor; 0 for one completion. */
  std: number;
  /** Whether all rewards are equal: such a group teaches nothing. */
  zeroVariance: boolean;
}

/** Mean and spread of rewards (G). */
export function groupStatistics(rewards: Float64Array): GroupStatistics {
  const mean = meanOf(rewards);
  const zeroVariance = rewards.every((reward) => reward === rewards[0]);
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0);
  return { mean, std: zeroVariance ? 0 : Math.sqrt(squares / (rewards.length - 1)), zeroVariance };
}

/** Advantages of the step's groups, each from its rewards (G). A group of equal rewards gets exactly 0. */
export function groupAdvantages(
  groups: readonly Float64Array[],
  { scale, epsilon = 1e-4 }: AdvantageOptions,
): Float64Array[] {
  const centred = groups.map((rewards) => {
    const { mean, std, zeroVariance } = groupStatistics(rewards);
    return { values: rewards.map((reward) => zeroVariance ? 0 : reward - mean), std };
  });
  if (scale === "none") return centred.map(({ values }) => values);
  const batchStd = scale === "batch" ? stdAround0(centred.map(({ values }) => values)) : 0;
  return centred.map(({ values, std }) => {
    const divisor = (scale === "group" ? std : batchStd) + epsilon;
    return values.map((value) => value === 0 ? 0 : value / divisor);
  });
}

/**
 * Advantages by level from the values of completions by level, (G) lists of D numbers a group: those of a level are
 * computed as by {@link groupAdvantages} among the completions that have it.
 */
export function levelAdvantages(
  groups: readonly (readonly Float64Array[])[],
  options: AdvantageOptions,
): Float64Array[][] {
  const advantages = groups.map((group) => group.map((values) => new Float64Array(values.length)));
  const depth = Math.max(0, ...groups.flat().map(({ length }) => length));
  for (let level = 0; level < depth; level++) {
    const rows = advantages.map((group) => group.filter(({ length }) => length > level));
    const values = groups.map((group) =>
      Float64Array.from(group.filter(({ length }) => length > level), (row) => row[level])
    );
    groupAdvantages(values, options).forEach((ofGroup, g) =>
      ofGroup.forEach((advantage, i) => rows[g][i][level] = advantage)
    );
  }
  return advantages;
}

/** Standard deviation of all numbers, whose mean is 0 since that of each list is. */
function stdAround0(lists: readonly Float64Array[]): number {
  const count = lists.reduce((sum, { length }) => sum + length, 0);
  const squares = lists.reduce((sum, list) => sum + list.reduce((total, value) => total + value ** 2, 0), 0);
  return count < 2 ? 0 : Math.sqrt(squares / (count - 1));
}

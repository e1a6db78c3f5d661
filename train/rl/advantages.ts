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

/** Answers to a prompt, as {@link siblingAdvantages} reads them. */
export interface AnswerTree {
  /** (G) tokens of each answer (D), first ones first. */
  answers: readonly ArrayLike<number>[];
  /** (G) what each answer is worth by level (D). */
  values: readonly Float64Array[];
}

/**
 * Advantages by level among siblings: a token is worth the mean over the answers that go on from it, and is compared with
 * the other tokens that the group wrote after the same prefix. What a prefix decided is not credited again to what
 * follows it, and a prefix that all answers share gets 0 (Sibling-GRPO of V-STAR, arXiv:2602.10699). Computed as by
 * {@link groupAdvantages}, each set of siblings a group.
 */
export function siblingAdvantages(
  groups: readonly AnswerTree[],
  options: AdvantageOptions,
): Float64Array[][] {
  const advantages = groups.map(({ values }) => values.map((row) => new Float64Array(row.length)));
  const families = groups.flatMap((group, g) => familiesOf(group).map((children) => ({ g, children })));
  const worths = families.map(({ g, children }) =>
    Float64Array.from(
      children,
      ({ level, members }) => meanOf(Float64Array.from(members, (i) => groups[g].values[i][level])),
    )
  );
  groupAdvantages(worths, options).forEach((ofFamily, f) => {
    const { g, children } = families[f];
    children.forEach(({ level, members }, c) =>
      members.forEach((i) => advantages[g][i][level] = ofFamily[c])
    );
  });
  return advantages;
}

/** A token after a prefix, and the answers that have it there. */
interface Child {
  level: number;
  members: number[];
}

/** Tokens that follow the same prefix, for each prefix of a group. */
function familiesOf({ answers }: AnswerTree): Child[][] {
  const families = new Map<string, Map<number, Child>>();
  for (const [i, tokens] of answers.entries()) {
    for (let level = 0; level < tokens.length; level++) {
      const prefix = Array.prototype.slice.call(tokens, 0, level).join(",");
      const family = families.get(prefix) ?? new Map<number, Child>();
      families.set(prefix, family);
      const child = family.get(tokens[level]);
      if (child) child.members.push(i);
      else family.set(tokens[level], { level, members: [i] });
    }
  }
  return [...families.values()].map((family) => [...family.values()]);
}

/** Standard deviation of all numbers, whose mean is 0 since that of each list is. */
function stdAround0(lists: readonly Float64Array[]): number {
  const count = lists.reduce((sum, { length }) => sum + length, 0);
  const squares = lists.reduce((sum, list) => sum + list.reduce((total, value) => total + value ** 2, 0), 0);
  return count < 2 ? 0 : Math.sqrt(squares / (count - 1));
}

import type { Item } from "../../data/dataset.ts";
import { excerpt } from "../../base/file_error.ts";
import { UserError } from "../../base/user_error.ts";
import { hits } from "./rewards/hits.ts";
import type { WeightedReward } from "./rewards/by_name.ts";
import type { Reward, RewardContext, RewardGroup } from "./rewards/reward.ts";
import { messageOf } from "./rewards/user_reward.ts";

/** Items of a history that an error shows. */
const SHOWN_ITEMS = 5;

/** What the answers to a prompt are worth. */
export interface GroupScore {
  /** (G) weighted sum of the rewards. */
  total: Float64Array;
  /** (G) values of each reward in the order of the list, without its weight. */
  byReward: Float64Array[];
  /**
   * (G) lists of D values, one a level: weighted sums, to which a reward without values by level adds its value at each
   * level. Absent where no reward has any.
   */
  levels?: Float64Array[];
  /** (G) whether a completion is the SID of a target. */
  hits: boolean[];
}

/** Rewards that are added up. */
export interface RewardSet {
  /** Names in the order of the list. */
  readonly names: readonly string[];
  /** Scores a group. Throws `UserError` showing the example if a reward fails or returns what is not a finite number. */
  score(group: RewardGroup): Promise<GroupScore>;
}

/** Makes the rewards of a list, with their defaults where it has no settings. Throws `UserError` as their `create` does. */
export async function createRewards(
  list: readonly WeightedReward[],
  context: RewardContext,
): Promise<RewardSet> {
  const rewards: NamedReward[] = [];
  for (const { method, weight, config = method.Config?.parse({}) } of list) {
    rewards.push({ name: method.name, weight, reward: await method.create(context, config) });
  }
  const byLevel = rewards.some(({ reward }) => reward.scoreLevels !== undefined);
  return {
    names: rewards.map(({ name }) => name),
    async score(group) {
      const total = new Float64Array(group.completions.length);
      const levels = byLevel
        ? group.completions.map(({ tokens }) => new Float64Array(tokens.length))
        : undefined;
      const byReward: Float64Array[] = [];
      for (const named of rewards) {
        const values = await scored(named, group, context.dataset.items);
        values.forEach((value, i) => total[i] += named.weight * value);
        byReward.push(values);
        if (levels === undefined) continue;
        const own = levelsOf(named, group, context.dataset.items);
        levels.forEach((row, i) =>
          row.forEach((_, level) => row[level] += named.weight * (own?.[i][level] ?? values[i]))
        );
      }
      return { total, byReward, levels, hits: hits(group) };
    },
  };
}

interface NamedReward {
  name: string;
  weight: number;
  reward: Reward;
}

async function scored({ name, reward }: NamedReward, group: RewardGroup, items: readonly Item[]) {
  let values: Float64Array;
  try {
    values = await reward.score(group);
  } catch (error) {
    throw unusable(name, `it failed with: ${messageOf(error)}`, group, items);
  }
  checkLength(name, "values", values, group.completions.length, group, items);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw notFinite(name, values[bad], bad, group, items);
  return values;
}

function levelsOf({ name, reward }: NamedReward, group: RewardGroup, items: readonly Item[]) {
  if (reward.scoreLevels === undefined) return undefined;
  let levels: Float64Array[];
  try {
    levels = reward.scoreLevels(group);
  } catch (error) {
    throw unusable(name, `it failed with: ${messageOf(error)}`, group, items);
  }
  checkLength(name, "lists of levels", levels, group.completions.length, group, items);
  for (const [i, { tokens }] of group.completions.entries()) {
    checkLength(name, `levels of completion ${i}`, levels[i], tokens.length, group, items);
    const bad = levels[i].find((value) => !Number.isFinite(value));
    if (bad !== undefined) throw notFinite(name, bad, i, group, items);
  }
  return levels;
}

function checkLength(
  name: string,
  what: string,
  values: ArrayLike<unknown>,
  expected: number,
  group: RewardGroup,
  items: readonly Item[],
) {
  if (values.length === expected) return;
  throw unusable(name, `it returned ${values.length} ${what}, expected ${expected}`, group, items);
}

function notFinite(name: string, value: number, place: number, group: RewardGroup, items: readonly Item[]) {
  const item = named(group.completions[place].items[0], items);
  return unusable(
    name,
    `its value of completion ${place} (${item}) is ${value}, expected a finite number`,
    group,
    items,
  );
}

function unusable(name: string, problem: string, group: RewardGroup, items: readonly Item[]) {
  return new UserError(`Cannot use reward ${name}: ${problem}. ${describe(group, items)}`);
}

/** The prompt of a group in words. */
function describe({ example }: RewardGroup, items: readonly Item[]): string {
  const { history, targets } = example;
  const shown = history.slice(-SHOWN_ITEMS).map((item) => named(item, items)).join(", ");
  const earlier = history.length > SHOWN_ITEMS ? `${history.length - SHOWN_ITEMS} earlier items, ` : "";
  const target = targets.map((item) => named(item, items)).join(" or ");
  return `The example: history ${history.length === 0 ? "none" : earlier + shown}; target ${target}`;
}

function named(item: number, items: readonly Item[]): string {
  return `${item} ${excerpt(items[item]?.title)}`;
}

import type { Item } from "../../data/dataset.ts";
import { excerpt } from "../../base/file_error.ts";
import { UserError } from "../../base/user_error.ts";
import { groupAdvantages } from "./advantages.ts";
import { LARGEST_REWARD, readList, readValues, tooLarge, UnusableValues } from "./reward_values.ts";
import { hits } from "./rewards/hits.ts";
import type { WeightedReward } from "./rewards/by_name.ts";
import type { Reward, RewardContext, RewardGroup, TaughtItem } from "./rewards/reward.ts";
import { messageOf } from "./rewards/user_reward.ts";

/** Items of a history that an error shows. */
const SHOWN_ITEMS = 5;

/** What the answers to a prompt are worth. */
export interface GroupScore {
  /** (G) weighted sum of the rewards. */
  total: Float64Array;
  /** (G) weighted sum of rewards that are normalised by themselves, where advantages are computed of that. */
  normalised?: Float64Array;
  /** (G) values of each reward in the order of the list, without its weight. */
  byReward: Float64Array[];
  /**
   * (G) lists of D values, one a level: weighted sums, to which a reward without values by level adds its value at each
   * level. Absent where no reward has any.
   */
  levels?: Float64Array[];
  /** (G) whether a completion is the SID of a target. */
  hits: boolean[];
  /** What should be answered where nobody knows the target; absent where a target is known, or no reward teaches. */
  taught?: TaughtItem[];
}

/** Rewards that are added up. */
export interface RewardSet {
  /** Names in the order of the list. */
  readonly names: readonly string[];
  /** Whether scores tell what should be answered without a target; absent: they do not. */
  readonly teaches?: boolean;
  /**
   * Scores a group. Throws `UserError` showing the example if a reward fails, or returns what is no finite number or too
   * large a one.
   */
  score(group: RewardGroup): Promise<GroupScore>;
  /** Ends what rewards have running, such as the workers of a user's files. */
  close?(): void;
}

/** Makes the rewards of a list, with their defaults where it has no settings. Throws `UserError` as their `create` does. */
export async function createRewards(
  list: readonly WeightedReward[],
  context: RewardContext,
  normalisation: RewardNormalisation = "none",
): Promise<RewardSet> {
  const blind = context.isOpen ? list.filter(({ method }) => method.needsTargets) : [];
  if (blind.length > 0) {
    throw new UserError(
      `Cannot reward by ${
        blind.map(({ method }) => method.name).join(", ")
      } with --targets none: nobody knows what is ` +
        "right. Use --reward collaborative, or a file of yours, or other --targets",
    );
  }
  const rewards: NamedReward[] = [];
  for (const { method, weight, config = method.Config?.parse({}) } of list) {
    rewards.push({ name: method.name, weight, reward: await method.create(context, config) });
  }
  const byLevel = rewards.some(({ reward }) => reward.scoreLevels !== undefined);
  const teacher = context.isOpen ? rewards.find(({ reward }) => reward.teach)?.reward : undefined;
  return {
    names: rewards.map(({ name }) => name),
    teaches: teacher !== undefined,
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
        const own = await levelsOf(named, group, context.dataset.items);
        levels.forEach((row, i) =>
          row.forEach((_, level) => row[level] += named.weight * (own?.[i][level] ?? values[i]))
        );
      }
      const names = rewards.map(({ name }) => name).join(", ");
      total.forEach((sum, i) =>
        checkSum([sum, ...levels?.[i] ?? []], i, names, group, context.dataset.items)
      );
      const normalised = normalisation === "group" ? decoupled(byReward, rewards) : undefined;
      return {
        total,
        ...(normalised && { normalised }),
        byReward,
        levels,
        hits: hits(group),
        ...(teacher && { taught: await teacher.teach!(group.example) }),
      };
    },
    close: () => rewards.forEach(({ reward }) => reward.close?.()),
  };
}

/** What happens to rewards before they are weighted and added up. */
export type RewardNormalisation = "none" | "group";

/** Weighted sum of rewards (G), each of them less its mean and over its spread in the group (GDPO, arXiv:2601.05242). */
function decoupled(byReward: readonly Float64Array[], rewards: readonly NamedReward[]): Float64Array {
  const own = groupAdvantages(byReward, { scale: "group" });
  return byReward[0].map((_, i) => rewards.reduce((sum, { weight }, r) => sum + weight * own[r][i], 0));
}

interface NamedReward {
  name: string;
  weight: number;
  reward: Reward;
}

async function scored({ name, reward }: NamedReward, group: RewardGroup, items: readonly Item[]) {
  try {
    return readValues(await reward.score(copyOf(group)), group.completions.length);
  } catch (error) {
    throw unusable(name, error, group, items);
  }
}

async function levelsOf({ name, reward }: NamedReward, group: RewardGroup, items: readonly Item[]) {
  if (reward.scoreLevels === undefined) return undefined;
  try {
    const count = group.completions.length;
    const returned = readList(await reward.scoreLevels(copyOf(group)), count);
    if (returned.length !== count) {
      throw new UnusableValues(`it returned ${returned.length} lists of levels, expected ${count}`);
    }
    return group.completions.map(({ tokens }, i) => {
      try {
        return readValues(returned[i], tokens.length, `levels of completion ${i}`);
      } catch (error) {
        throw error instanceof UnusableValues && error.place !== undefined
          ? new UnusableValues(error.message, i)
          : error;
      }
    });
  } catch (error) {
    throw unusable(name, error, group, items);
  }
}

/** A group of its own, so that nothing that a reward does to it is seen by training. */
function copyOf({ example, completions, ranked }: RewardGroup): RewardGroup {
  const { prompt, targets, history } = example;
  return {
    example: { ...example, prompt: prompt.slice(), targets: [...targets], history: [...history] },
    completions: completions.map(({ tokens, items, logProb }) => ({
      tokens: tokens.slice(),
      items: [...items],
      logProb,
    })),
    ranked,
  };
}

/** Throws `UserError` where weights make a value too large. */
function checkSum(
  sums: Iterable<number>,
  place: number,
  names: string,
  group: RewardGroup,
  items: readonly Item[],
) {
  for (const sum of sums) {
    if (!(Math.abs(sum) <= LARGEST_REWARD)) {
      throw unusable(`${names}, weighted and added up`, tooLarge(sum, place), group, items);
    }
  }
}

function unusable(name: string, error: unknown, group: RewardGroup, items: readonly Item[]) {
  return new UserError(`Cannot use reward ${name}: ${problem()}. ${describe(group, items)}`);

  function problem(): string {
    if (!(error instanceof UnusableValues)) return `it failed with: ${messageOf(error)}`;
    const { place, message } = error;
    if (place === undefined) return message;
    return `its value of completion ${place} (${named(group.completions[place].items[0], items)}) ${message}`;
  }
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

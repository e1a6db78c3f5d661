import { didYouMean } from "../../../base/did_you_mean.ts";
import { UserError } from "../../../base/user_error.ts";
import * as registry from "./registry.ts";
import type { RewardMethod } from "./reward.ts";
import { isUserReward, userReward } from "./user_reward.ts";

/** Every reward that has a name, in the order of their names. */
export const REWARDS: readonly RewardMethod[] = Object.values(registry);

/** A reward and its share in the sum. */
export interface WeightedReward {
  /** The reward. */
  method: RewardMethod;
  /** Its values are multiplied by this before they are added up; 0 logs them only. */
  weight: number;
  /** Its settings, complete; absent: its defaults. */
  config?: unknown;
}

/**
 * The reward of a name, or that of a user's `.ts`, `.js` or `.mjs` file.
 * @throws {UserError} listing all names where there is none.
 */
export function rewardMethod(name: string): RewardMethod {
  const method = REWARDS.find((method) => method.name === name);
  if (method !== undefined) return method;
  if (isUserReward(name)) return userReward(name);
  const names = REWARDS.map((method) => method.name);
  const foreign = REWARDS.find(({ aliases }) => aliases?.includes(name))?.name;
  throw new UserError(
    `Cannot reward by ${JSON.stringify(name)}: there is no such reward. Expected one of ${
      names.join(", ")
    }, ` +
      "or a .ts file of yours" +
      (foreign === undefined ? didYouMean(name, names) : `. Did you mean ${foreign}?`),
  );
}

/**
 * Rewards of entries such as `rule`, `ranking:0.5`, `./mine.ts:2`: names or files with a weight each, 1 where none is written.
 * @throws {UserError} for an empty list, an unknown name, a weight that is no number, or a reward listed twice.
 */
export function parseRewards(entries: readonly string[]): WeightedReward[] {
  const written = entries.map((entry) => entry.trim()).filter((entry) => entry !== "");
  if (written.length === 0) {
    throw new UserError(
      `Cannot use rewards ${JSON.stringify(entries.join())}: expected at least one, such as rule,ranking:0.5`,
    );
  }
  const rewards = written.map((entry): WeightedReward => {
    // The drive letter of a Windows path is followed by a colon too.
    const [, name, weight] = /^(.*?)(?::([^:\\/]*))?$/s.exec(entry)!;
    const value = weight === undefined ? 1 : Number(weight);
    if (weight?.trim() === "" || !Number.isFinite(value)) {
      throw new UserError(
        `Cannot weigh reward ${JSON.stringify(name)} by ${JSON.stringify(weight)}: expected a number, ` +
          `such as ${name}:0.5`,
      );
    }
    return { method: rewardMethod(name.trim()), weight: value };
  });
  const names = rewards.map(({ method }) => method.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new UserError(
      `Cannot use rewards ${JSON.stringify(entries.join())}: ${twice} is listed twice, expected each once. ` +
        "Write one entry with the summed weight",
    );
  }
  return rewards;
}

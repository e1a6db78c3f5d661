import { UserError } from "../../../base/user_error.ts";
import type { RewardContext, RewardGroup, RewardMethod } from "./reward.ts";
import { UserModule } from "../user_code/module.ts";

/**
 * What a user's file may export by default: (G) values of a group, of which true counts as 1 and false as 0. `group` and
 * `context` are copies; `context` has the items' titles.
 */
export type RewardFunction = (
  group: RewardGroup,
  context: RewardContext,
) => ArrayLike<number | boolean> | Promise<ArrayLike<number | boolean>>;

/** Seconds that a user's reward may go without an answer, by default. */
export const REWARD_TIMEOUT = 60;

/** Whether a reward is named by a file of code. */
export function isUserReward(name: string): boolean {
  return /\.m?[jt]s$/.test(name);
}

/**
 * The reward in a user's file, whose default export is a {@link RewardFunction} or a `RewardMethod`. Its `create` throws
 * `UserError` if the file cannot be loaded or exports neither. The file runs in a worker, with the training's rights.
 */
export function userReward(path: string): RewardMethod {
  return {
    name: path,
    summary: `the function of ${path}`,
    async create({ dataset, itemTokens, texts, warn, timeout = REWARD_TIMEOUT }) {
      const module = new UserModule(path, { timeout, warn });
      const exported = await module.load({ dataset, itemTokens, texts }).catch((error: Error) => {
        module.close();
        throw new UserError(`Cannot load reward ${path}: ${error.message}. Check the path and the code`);
      });
      if ("unusable" in exported) {
        module.close();
        throw new UserError(
          `Cannot use reward ${path}: ${exported.unusable}, expected a function (group) => numbers, one a ` +
            "completion. Write export default (group) => …",
        );
      }
      return {
        score: (group) => module.score("score", group) as Promise<Float64Array>,
        ...exported.levels &&
          {
            scoreLevels: (group: RewardGroup) =>
              module.score("scoreLevels", group) as Promise<Float64Array[]>,
          },
        close: () => module.close(),
      };
    },
  };
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

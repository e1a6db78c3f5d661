import { pathToFileURL } from "node:url";
import { resolve } from "node:path";
import { excerpt } from "../../../base/file_error.ts";
import { UserError } from "../../../base/user_error.ts";
import type { Reward, RewardContext, RewardGroup, RewardMethod } from "./reward.ts";

/** What a user's file may export by default: (G) values of a group. `context` has the items' titles. */
export type RewardFunction = (
  group: RewardGroup,
  context: RewardContext,
) => ArrayLike<number> | Promise<ArrayLike<number>>;

/** Whether a reward is named by a file of code. */
export function isUserReward(name: string): boolean {
  return /\.m?[jt]s$/.test(name);
}

/**
 * The reward in a user's file, whose default export is a {@link RewardFunction} or a `RewardMethod`. Its `create` throws
 * `UserError` if the file cannot be loaded or exports neither.
 */
export function userReward(path: string): RewardMethod {
  return {
    name: path,
    summary: `the function of ${path}`,
    async create(context) {
      const exported = await load(path);
      if (isRewardMethod(exported)) return await exported.create(context, exported.Config?.parse({}));
      if (typeof exported === "function") return ofFunction(exported as RewardFunction, context);
      throw new UserError(
        `Cannot use reward ${path}: its default export is ${excerpt(exported)}, expected a function ` +
          "(group) => numbers, one a completion. Write export default (group) => …",
      );
    },
  };
}

async function load(path: string): Promise<unknown> {
  try {
    return (await import(pathToFileURL(resolve(path)).href)).default;
  } catch (error) {
    throw new UserError(`Cannot load reward ${path}: ${messageOf(error)}. Check the path and the code`);
  }
}

function isRewardMethod(value: unknown): value is RewardMethod {
  return typeof value === "object" && value !== null && "create" in value &&
    typeof value.create === "function";
}

function ofFunction(score: RewardFunction, context: RewardContext): Reward {
  return {
    async score(group) {
      const values: unknown = await score(group, context);
      if (!Array.isArray(values) && !(ArrayBuffer.isView(values) && "length" in values)) {
        throw new TypeError(`it returned ${excerpt(values)}, expected ${group.completions.length} numbers`);
      }
      // Anything that is no number, null included, is reported as NaN.
      return Float64Array.from(values as ArrayLike<unknown>, (v) => typeof v === "number" ? v : NaN);
    },
  };
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

import type { Completion, RewardContext } from "./reward.ts";

/** How far a completion agrees with a target. */
export interface SharedLevels {
  /** Levels that are equal, from the first on. */
  shared: number;
  /** Levels of the longer of the two SIDs. */
  depth: number;
}

/** The levels that a completion shares with the SID of each target. */
export function sharedLevels(
  { tokens }: Completion,
  targets: readonly number[],
  itemTokens: RewardContext["itemTokens"],
): SharedLevels[] {
  return targets.map((target) => {
    const sid = itemTokens[target];
    const differs = tokens.findIndex((token, level) => token !== sid[level]);
    return { shared: differs < 0 ? tokens.length : differs, depth: Math.max(tokens.length, sid.length) };
  });
}

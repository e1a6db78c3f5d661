import type { RlExample } from "../../../data/packing/rl_examples.ts";
import type { Completion, RewardContext } from "./reward.ts";

/** How far a completion agrees with a target. */
export interface SharedLevels {
  /** Levels that are equal, from the first on. */
  shared: number;
  /** Levels of the longer of the two SIDs. */
  depth: number;
}

/** The levels that a completion shares with the SID of each target, or with its text the tokens. */
export function sharedLevels(
  { tokens }: Completion,
  { targets, text }: RlExample,
  { itemTokens, texts = [] }: Pick<RewardContext, "itemTokens" | "texts">,
): SharedLevels[] {
  const written = text === undefined ? itemTokens : texts[text];
  return targets.map((target) => {
    const sid = written[target];
    const differs = tokens.findIndex((token, level) => token !== sid[level]);
    return { shared: differs < 0 ? tokens.length : differs, depth: Math.max(tokens.length, sid.length) };
  });
}

import { hits } from "./hits.ts";
import type { RewardMethod } from "./reward.ts";

/**
 * 1 for the SID of any target, else 0: what `rule` is for examples with one target. Examples have several where one
 * text names several items.
 */
export const hit: RewardMethod = {
  name: "hit",
  summary: "1 for the SID of any of the example's targets",
  needsTargets: true,
  create: () => ({ score: (group) => Float64Array.from(hits(group), Number) }),
};

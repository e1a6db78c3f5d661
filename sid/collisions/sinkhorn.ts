import { sinkhornAssign } from "../assignment/sinkhorn.ts";
import { collidingGroups } from "./groups.ts";
import { lastCodewords, lastDistance } from "./last_level.ts";
import {
  type Codes,
  codesByItem,
  type CollisionPolicy,
  type LastLevel,
  type ResolvedCodes,
  resolvedCodes,
} from "./policy.ts";

const ROUNDS = 20;
const OPTIONS = { epsilon: 0.003, iterations: 50 };

/**
 * As MiniOneRec's and LC-Rec's index builders do it, for comparisons with published indexes: up to 20 rounds in which
 * each colliding group chooses its last codes anew by Sinkhorn's algorithm among its own members. Spread over all
 * codewords, a member of a small group lands far from its residual, and items with equal vectors always share
 * codeword 0: `nearest-free` does better. SIDs can be shared in the end.
 */
export function sinkhornCollisions(codes: Codes, lastLevel: LastLevel): ResolvedCodes {
  const codewords = lastCodewords(codes, lastLevel);
  const sids = codesByItem(codes);
  for (let round = 0; round < ROUNDS; round++) {
    const groups = collidingGroups(sids);
    if (groups.length === 0) break;
    for (const group of groups) {
      const distances = Float64Array.from(
        { length: group.length * codewords },
        (_, i) => lastDistance(lastLevel, group[Math.floor(i / codewords)], i % codewords),
      );
      const chosen = sinkhornAssign(distances, group.length, codewords, OPTIONS);
      group.forEach((item, i) => sids[item][codes.levels - 1] = chosen[i]);
    }
  }
  return resolvedCodes(codes, sids);
}

/** {@link sinkhornCollisions} as a policy. */
export const sinkhorn: CollisionPolicy = {
  name: "sinkhorn",
  readsResiduals: "all",
  resolve: sinkhornCollisions,
};

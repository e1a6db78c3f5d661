import { collidingGroups } from "./groups.ts";
import {
  type Codes,
  codesByItem,
  type CollisionPolicy,
  type ResolvedCodes,
  resolvedCodes,
} from "./policy.ts";

/**
 * Gives every member of a colliding group one more code, its rank inside the group in row order from 0; other items
 * keep their codes. So all SIDs differ and none is the beginning of another: the members of a group all have the
 * longer form.
 */
export function addExtraLevel(codes: Codes): ResolvedCodes {
  const sids = codesByItem(codes);
  appendRanks(sids);
  return resolvedCodes(codes, sids);
}

/** {@link addExtraLevel} as a policy. */
export const extraLevel: CollisionPolicy = { name: "extra-level", resolve: addExtraLevel };

/** Appends to the SIDs of each colliding group the ranks of its members, in place. */
export function appendRanks(sids: number[][]): void {
  for (const group of collidingGroups(sids)) group.forEach((item, rank) => sids[item].push(rank));
}

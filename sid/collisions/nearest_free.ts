import { munkres } from "munkres";
import { appendRanks } from "./extra_level.ts";
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

/**
 * Moves the members of a colliding group, all but the first, to codewords of the last level that no item with the
 * same prefix uses. The movers of one prefix are placed together so that the sum of squared distances between their
 * residuals and their new codewords is least. Where a prefix has more items than codewords, as many as fit are moved
 * and the groups that remain get one more code, as `extra-level` gives it: all SIDs differ, whatever collides.
 */
export function moveToNearestFree(codes: Codes, lastLevel: LastLevel): ResolvedCodes {
  const codewords = lastCodewords(codes, lastLevel);
  const sids = codesByItem(codes);
  const last = codes.levels - 1;
  const prefixOf = (item: number) => sids[item].slice(0, last).join();
  const moversByPrefix = new Map<string, number[]>();
  for (const [, ...movers] of collidingGroups(sids)) {
    const prefix = prefixOf(movers[0]);
    const others = moversByPrefix.get(prefix);
    if (others) others.push(...movers);
    else moversByPrefix.set(prefix, movers);
  }
  const used = new Map([...moversByPrefix.keys()].map((prefix) => [prefix, new Set<number>()]));
  sids.forEach((sid, item) => used.get(prefixOf(item))?.add(sid[last]));
  for (const [prefix, movers] of moversByPrefix) {
    const taken = used.get(prefix)!;
    const free = Array.from({ length: codewords }, (_, codeword) => codeword).filter((k) => !taken.has(k));
    if (free.length === 0) continue;
    const costs = movers.map((item) => free.map((codeword) => lastDistance(lastLevel, item, codeword)));
    for (const [mover, column] of munkres(costs)) sids[movers[mover]][last] = free[column];
  }
  appendRanks(sids);
  return resolvedCodes(codes, sids);
}

/** {@link moveToNearestFree} as a policy. */
export const nearestFree: CollisionPolicy = {
  name: "nearest-free",
  readsResiduals: "colliding",
  resolve: moveToNearestFree,
};

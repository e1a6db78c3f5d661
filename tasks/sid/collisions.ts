import {
  addExtraLevel,
  type Codes,
  type CollisionPolicy,
  keepCollisions,
  type LastLevel,
  moveToNearestFree,
} from "../../sid/collisions.ts";

/** Codes of every item after the policy; lengths may differ. */
export function resolveCollisions(policy: CollisionPolicy, codes: Codes, lastLevel: LastLevel): number[][] {
  if (policy === "keep") return keepCollisions(codes).sids;
  if (policy === "extra-level") return addExtraLevel(codes).sids;
  return moveToNearestFree(codes, lastLevel).sids;
}

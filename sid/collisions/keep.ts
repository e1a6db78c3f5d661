import { type Codes, type CollisionPolicy, resolved, type ResolvedCodes, sidsOf } from "./policy.ts";

/** Lets colliding items share their SID. */
export function keepCollisions(codes: Codes): ResolvedCodes {
  return resolved(codes, sidsOf(codes));
}

/** {@link keepCollisions} as a policy. */
export const keep: CollisionPolicy = { name: "keep", resolve: keepCollisions };

import {
  type Codes,
  codesByItem,
  type CollisionPolicy,
  type ResolvedCodes,
  resolvedCodes,
} from "./policy.ts";

/** Lets colliding items share their SID. */
export function keepCollisions(codes: Codes): ResolvedCodes {
  return resolvedCodes(codes, codesByItem(codes));
}

/** {@link keepCollisions} as a policy. */
export const keep: CollisionPolicy = { name: "keep", resolve: keepCollisions };

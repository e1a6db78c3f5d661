import { type Codes, resolved, type ResolvedCodes, sidsOf } from "./policy.ts";

/** Lets colliding items share their SID. */
export function keepCollisions(codes: Codes): ResolvedCodes {
  return resolved(codes, sidsOf(codes));
}

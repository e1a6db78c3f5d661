import { addExtraLevel } from "./extra_level.ts";
import { forgeLastCodes } from "./forge.ts";
import { keepCollisions } from "./keep.ts";
import { moveToNearestFree } from "./nearest_free.ts";
import type { ResolveCollisions } from "./policy.ts";
import { sinkhornCollisions } from "./sinkhorn.ts";

/** What to do with items whose codes are equal, by the name on the command line. One line a policy. */
export const policies = {
  "nearest-free": moveToNearestFree,
  "extra-level": addExtraLevel,
  "keep": keepCollisions,
  "sinkhorn": sinkhornCollisions,
  "forge": forgeLastCodes,
} satisfies Record<string, ResolveCollisions>;

/** Name of one of {@link policies}. */
export type CollisionPolicy = keyof typeof policies;

/** Names of {@link policies}. */
export const COLLISION_POLICIES = Object.keys(policies) as CollisionPolicy[];

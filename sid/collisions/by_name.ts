import { byName } from "../../base/by_name.ts";
import type { CollisionPolicy } from "./policy.ts";
import * as registry from "./registry.ts";

/** Every policy, in the order of their names. */
export const COLLISION_POLICIES: readonly CollisionPolicy[] = Object.values(registry);

/** The policy of a name. Throws `UserError` listing all where there is none. */
export function collisionPolicy(name: string): CollisionPolicy {
  return byName(COLLISION_POLICIES, name, { use: "resolve collisions by", kind: "policy" });
}

import { byName } from "../../../base/by_name.ts";
import type { ObjectiveMethod } from "./objective.ts";
import * as registry from "./registry.ts";

/** Every objective of reinforcement learning, in the order of their names. */
export const OBJECTIVES: readonly ObjectiveMethod[] = Object.values(registry);

/** The objective of a name. Throws `UserError` listing all where there is none. */
export function objectiveMethod(name: string): ObjectiveMethod {
  return byName(OBJECTIVES, name, { use: "train with loss", kind: "loss" });
}

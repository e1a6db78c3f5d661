import { didYouMean } from "../../../base/did_you_mean.ts";
import { UserError } from "../../../base/user_error.ts";
import { clipped } from "./clipped.ts";
import { dapo } from "./dapo.ts";
import { drGrpo } from "./dr_grpo.ts";
import { etegrec } from "./etegrec.ts";
import { grpo } from "./grpo.ts";
import { gspo } from "./gspo.ts";
import type { ObjectiveMethod } from "./objective.ts";

/** Every objective of reinforcement learning. */
export const OBJECTIVES: readonly ObjectiveMethod[] = [
  grpo,
  clipped,
  dapo,
  drGrpo,
  gspo,
  etegrec,
];

/** The objective of a name. Throws `UserError` listing all where there is none. */
export function objectiveMethod(name: string): ObjectiveMethod {
  const method = OBJECTIVES.find((method) => method.name === name);
  if (method !== undefined) return method;
  const names = OBJECTIVES.map((method) => method.name);
  throw new UserError(
    `Cannot train with loss ${JSON.stringify(name)}: there is no such loss. Expected one of ${
      names.join(", ")
    }` +
      didYouMean(name, names),
  );
}

import type { BaselineMethod, ItemScoringMethod } from "./method.ts";
import * as registry from "./registry.ts";

/** Every baseline. */
export const BASELINES: readonly BaselineMethod[] = Object.values(registry) as BaselineMethod[];

/** Whether its model scores every item, and writes no SIDs. */
export function scoresItems(method: BaselineMethod): method is ItemScoringMethod {
  return method.load !== undefined;
}

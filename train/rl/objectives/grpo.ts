import type { ObjectiveMethod } from "./objective.ts";

/**
 * GRPO as MiniOneRec and MIMIGenRec run it: one update a rollout, so that the ratio is 1 and its gradient that of the
 * log-probability; nothing is clipped.
 */
export const grpo: ObjectiveMethod = {
  name: "grpo",
  summary: "GRPO as MiniOneRec runs it: not clipped, for one update a rollout",
  source: "MiniOneRec, arXiv:2510.24431",
  objective: { ratio: "token", clipLow: Infinity, clipHigh: Infinity, kl: "k3" },
  ratioAgainst: "old",
  advantageScale: "group",
  advantageEpsilon: 1e-4,
  reduction: "sequence-mean",
};

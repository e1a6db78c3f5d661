import type { ObjectiveMethod } from "./objective.ts";

/**
 * DAPO: the ratio may grow further than it may shrink, and every token of the step weighs the same. The paper has no KL
 * term (beta 0) and draws new groups for those of equal rewards. What TRL calls dapo, which MIMIGenRec trains with, has
 * this mean over tokens alone: with one update a rollout they are the same.
 */
export const dapo: ObjectiveMethod = {
  name: "dapo",
  summary: "ratio clipped to 0.8 to 1.28 (clip-higher), mean over tokens",
  source: "DAPO, arXiv:2503.14476, equation 8",
  objective: { ratio: "token", clipLow: 0.2, clipHigh: 0.28, kl: "k3" },
  ratioAgainst: "old",
  advantageScale: "group",
  advantageEpsilon: 1e-4,
  reduction: "token-mean",
};

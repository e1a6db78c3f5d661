import type { ObjectiveMethod } from "./objective.ts";

/** GRPO with PPO's clipped ratio, which bounds what several updates of one rollout can do. */
export const clipped: ObjectiveMethod = {
  name: "clipped",
  summary: "GRPO with the ratio clipped to 0.8 to 1.2, for several updates a rollout",
  source: "DeepSeekMath, arXiv:2402.03300, equation 3",
  objective: { ratio: "token", clipLow: 0.2, clipHigh: 0.2, kl: "k3" },
  ratioAgainst: "old",
  advantageScale: "group",
  advantageEpsilon: 1e-4,
  reduction: "sequence-mean",
};

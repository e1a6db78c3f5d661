import type { ObjectiveMethod } from "./objective.ts";

/**
 * Dr. GRPO: advantages are not divided by the group's standard deviation, nor losses by a completion's own length, both
 * of which weigh some prompts and completions more than others. The paper has no KL term (beta 0).
 */
export const drGrpo: ObjectiveMethod = {
  name: "dr-grpo",
  summary: "clipped GRPO without division by the group's deviation or the length",
  source: "Understanding R1-Zero-like training, arXiv:2503.20783, section 3.2",
  objective: { ratio: "token", clipLow: 0.2, clipHigh: 0.2, kl: "k3" },
  ratioAgainst: "old",
  advantageScale: "none",
  advantageEpsilon: 0,
  reduction: "constant",
};

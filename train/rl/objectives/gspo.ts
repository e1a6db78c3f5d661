import type { ObjectiveMethod } from "./objective.ts";

/**
 * GSPO: one ratio a completion, the geometric mean of its tokens', with the paper's narrow bounds. MiniOneRec's option of
 * this name is not clipped: with one update a rollout the ratio is 1 and they are the same.
 */
export const gspo: ObjectiveMethod = {
  name: "gspo",
  summary: "one ratio a SID, the mean of its tokens', clipped to 1 - 3e-4 to 1 + 4e-4",
  source: "GSPO, arXiv:2507.18071, equations 5 and 7, section 5.1",
  objective: { ratio: "sequence-mean", clipLow: 3e-4, clipHigh: 4e-4, kl: "k3" },
  ratioAgainst: "old",
  advantageScale: "group",
  advantageEpsilon: 1e-4,
  reduction: "sequence-mean",
};

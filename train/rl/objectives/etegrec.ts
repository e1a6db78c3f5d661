import type { ObjectiveMethod } from "./objective.ts";

/**
 * What ETEGRec's fork trains with: the ratio of the whole SID's probability to that under the reference, not under the
 * policy that wrote it, so that the clip bounds the distance from the start of training; and the plain log-ratio of the
 * SID as its KL divergence, weighed by beta.
 */
export const etegrec: ObjectiveMethod = {
  name: "etegrec",
  summary: "ratio of whole SIDs against the reference, clipped to 0.8 to 1.2",
  source: "GRPO stage of the fork of ETEGRec",
  objective: { ratio: "sequence-sum", clipLow: 0.2, clipHigh: 0.2, kl: "k1" },
  ratioAgainst: "reference",
  advantageScale: "group",
  advantageEpsilon: 1e-8,
  reduction: "sequence-mean",
};

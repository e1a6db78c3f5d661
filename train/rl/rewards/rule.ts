import { isAmong } from "./hits.ts";
import type { RewardMethod } from "./reward.ts";

/** 1 for the SID of the example's first target, else 0. Source: MiniOneRec (arXiv:2510.24431), rule-based reward. */
export const rule: RewardMethod = {
  name: "rule",
  summary: "1 for the SID of the example's (first) target",
  needsTargets: true,
  create: () => ({
    score: ({ completions, example }) =>
      Float64Array.from(
        completions,
        (completion) => isAmong(completion, example.targets.slice(0, 1)) ? 1 : 0,
      ),
  }),
};

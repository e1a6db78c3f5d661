import type { RewardMethod } from "./reward.ts";
import { sharedLevels } from "./shared_levels.ts";

/**
 * 1 for the first level right, ten times as much for each further level of the nearest target from there on, 0 without:
 * 100, 10, 1, 0 at three levels as in MIMIGenRec.
 */
export const partialHit: RewardMethod = {
  name: "partial-hit",
  summary: "1, 10, 100 for 1, 2, 3 right levels",
  needsTargets: true,
  create: (context) => ({
    score: ({ completions, example }) =>
      Float64Array.from(completions, (completion) => {
        const shared = Math.max(
          ...sharedLevels(completion, example, context).map(({ shared }) => shared),
        );
        return shared === 0 ? 0 : 10 ** (shared - 1);
      }),
  }),
};

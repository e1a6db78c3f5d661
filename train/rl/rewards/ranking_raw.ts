import { gain, hits, ranks } from "./hits.ts";
import type { RewardMethod } from "./reward.ts";

/**
 * Penalty -1 / log2(rank + 1) with ranks from 1, as MiniOneRec's paper writes it before normalising: every wrong answer
 * gets it. A group without a hit is no exception, so there the model's best answers are pushed down.
 */
export const rankingRaw: RewardMethod = {
  name: "ranking-raw",
  summary: "-1/log2(rank + 1) for every wrong answer, in groups without a hit too",
  needsTargets: true,
  create: () => ({
    score(group) {
      const isHit = hits(group);
      return Float64Array.from(ranks(group), (rank, i) => isHit[i] ? 0 : -gain(rank));
    },
  }),
};

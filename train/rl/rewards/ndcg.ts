import { gain, hits, ranks } from "./hits.ts";
import type { RewardMethod } from "./reward.ts";

/**
 * What a completion adds to the NDCG of the group's list: 1 / log2(rank + 2), rank from 0, at a hit, else 0. Divided by
 * the standard deviation of its group, one hit is worth the same at every rank: use it with advantages that are not.
 * (What the references call ndcg is `ranking` here.)
 */
export const ndcg: RewardMethod = {
  name: "ndcg",
  summary: "1/log2(rank + 2) at a hit: what it adds to NDCG; for unscaled advantages",
  needsTargets: true,
  create: () => ({
    score(group) {
      const isHit = hits(group);
      return Float64Array.from(ranks(group), (rank, i) => isHit[i] ? gain(rank) : 0);
    },
  }),
};

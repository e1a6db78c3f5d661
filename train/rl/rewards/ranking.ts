import { gain, hits, ranks } from "./hits.ts";
import type { RewardMethod } from "./reward.ts";

/**
 * Penalty of wrong answers, the better ranked the harder: -gain(rank) over the sum of the group's gains. Hits get 0,
 * and so does everything in a group without a hit. With `rule` the reward that MiniOneRec (arXiv:2510.24431) and
 * MIMIGenRec train with: 1 for the hit, penalties that sum to more than -1 for the rest.
 */
export const ranking: RewardMethod = {
  name: "ranking",
  aliases: ["ranking_only", "ndcg_rule"],
  summary: "penalty of wrong answers by their rank, where the group has a hit; use it with rule",
  needsTargets: true,
  create: () => ({
    score(group) {
      const isHit = hits(group);
      if (!isHit.includes(true)) return new Float64Array(isHit.length);
      const gains = ranks(group).map(gain);
      const sum = gains.reduce((total, value) => total + value, 0);
      return Float64Array.from(gains, (value, i) => isHit[i] ? 0 : -value / sum);
    },
  }),
};

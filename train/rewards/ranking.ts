import { hits, ranks } from "./hits.ts";
import type { RewardMethod } from "./reward.ts";

/** Gain at a 0-based rank: 1 / log2(rank + 2). */
function gain(rank: number): number {
  return 1 / Math.log2(rank + 2);
}

/**
 * Penalty of wrong answers, the better ranked the harder: -gain(rank) over the sum of the group's gains. Hits get 0,
 * and so does everything in a group without a hit. With `rule` the reward that MiniOneRec (arXiv:2510.24431) and
 * MIMIGenRec train with: 1 for the hit, penalties that sum to more than -1 for the rest.
 */
export const ranking: RewardMethod = {
  name: "ranking",
  summary: "penalty of wrong answers by their rank, where the group has a hit; use it with rule",
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

/**
 * Penalty -1 / log2(rank + 1) with ranks from 1, as MiniOneRec's paper writes it before normalising: every wrong answer
 * gets it. A group without a hit is no exception, so there the model's best answers are pushed down.
 */
export const rankingRaw: RewardMethod = {
  name: "ranking-raw",
  summary: "-1/log2(rank + 1) for every wrong answer, in groups without a hit too",
  create: () => ({
    score(group) {
      const isHit = hits(group);
      return Float64Array.from(ranks(group), (rank, i) => isHit[i] ? 0 : -gain(rank));
    },
  }),
};

/**
 * What a completion adds to the NDCG of the group's list: 1 / log2(rank + 2), rank from 0, at a hit, else 0. Divided by
 * the standard deviation of its group, one hit is worth the same at every rank: use it with advantages that are not.
 * (What the references call ndcg is `ranking` here.)
 */
export const ndcg: RewardMethod = {
  name: "ndcg",
  summary: "1/log2(rank + 2) at a hit: what it adds to NDCG; for unscaled advantages",
  create: () => ({
    score(group) {
      const isHit = hits(group);
      return Float64Array.from(ranks(group), (rank, i) => isHit[i] ? gain(rank) : 0);
    },
  }),
};

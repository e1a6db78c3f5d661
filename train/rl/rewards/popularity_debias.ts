import { purchaseCounts } from "../../../eval/count_scorers.ts";
import { hits } from "./hits.ts";
import type { RewardMethod } from "./reward.ts";

/** Popularity is raised to this, the best value in the paper. */
const EXPONENT = 0.5;

/**
 * Penalty of wrong answers, the more popular the harder: -f^0.5 over the group's sum, f = purchases in the train period.
 * A popular item was likely seen and passed over, a rare one likely never seen: the popularity-aware weight of missing
 * data of He et al. 2016 (eALS, SIGIR, equation 8). Hits get 0, and so does a group without a hit, in which popularity
 * would be all that is learned. It works within a group, since a larger reward of rare hits would be divided out again by
 * the group's standard deviation. Of items that share a SID the most popular counts.
 */
export const popularityDebias: RewardMethod = {
  name: "popularity-debias",
  summary: "penalty of wrong answers by their popularity, where the group has a hit; use it with rule",
  needsTargets: true,
  create({ dataset }) {
    const weights = purchaseCounts(dataset.samples.train, dataset.items.length).map((count) =>
      count ** EXPONENT
    );
    return {
      score(group) {
        const isHit = hits(group);
        const own = group.completions.map(({ items }) => Math.max(...items.map((item) => weights[item])));
        const sum = own.reduce((total, weight) => total + weight, 0);
        if (!isHit.includes(true) || sum === 0) return new Float64Array(isHit.length);
        return Float64Array.from(own, (weight, i) => isHit[i] ? 0 : -weight / sum);
      },
    };
  },
};

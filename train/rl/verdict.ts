import { credited, type Interval, mean, ndcgAtK, pairedDifference } from "../../eval/metrics.ts";
import type { RlState } from "./state.ts";

/** What reinforcement learning did to the ranking, measured on the valid subsample. */
export interface Verdict {
  /** Step whose weights are kept; 0: those that the run started from. */
  keptStep: number;
  /** NDCG@10 of the kept weights less that of the first ones, over the same samples. */
  difference: number;
  /** Its 95 % paired bootstrap interval. */
  ci95: Interval;
  /** NDCG@10 before the first step. */
  before: number;
  /** In words. */
  text: string;
}

/** A bootstrap of the differences between the first and the best validation; `sharing` (samples) items have a target's SID. */
export function verdict(
  { best, firstRanks, bestRanks, validations, step }: RlState,
  sharing: Float64Array,
  seed: number,
): Verdict {
  const gains = (ranks: readonly number[]) =>
    credited(ndcgAtK(ranks.map((rank) => rank < 0 ? null : rank), 10), sharing);
  const first = gains(firstRanks), kept = gains(bestRanks);
  const { difference, ci95 } = pairedDifference(kept, first, { seed });
  const keptStep = best?.step ?? 0;
  const before = mean(first);
  const common = { keptStep, difference, ci95, before };
  const signed = `${difference < 0 ? "-" : "+"}${Math.abs(difference).toFixed(4)}`;
  const margin = ((ci95[1] - ci95[0]) / 2).toFixed(4);
  const measured = `valid NDCG@10 ${signed} ± ${margin} over SFT (${before.toFixed(4)}), ` +
    `${firstRanks.length} samples; kept step ${keptStep} of ${step}`;
  if (keptStep === 0) {
    return {
      ...common,
      text:
        `RL did not help: no validation of ${validations - 1} was above the ${
          before.toFixed(4)
        } of SFT, whose weights ` +
        "are kept. See rewards, zeroVariance and kl in metrics.jsonl",
    };
  }
  const sure = ci95[0] > 0;
  return {
    ...common,
    text: sure
      ? `RL helped: ${measured}. It is the best of ${validations} validations, so expect a little less on test`
      : `RL may have helped: ${measured}. The 95 % interval holds 0: more --eval-samples would tell`,
  };
}

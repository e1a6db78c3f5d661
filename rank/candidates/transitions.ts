import type { CandidateGenerator } from "./candidates.ts";

/** What an entry at a distance of 1, 2 and 3 purchases counts. */
const WEIGHTS = [1, 0.5, 0.3];
/** What an entry at any distance counts beside that. */
const TOGETHER = 0.01;

/**
 * What followed the items of the history in the train split: the sum of the shares of each row of counts, late items
 * counting more. Equal sums in the order of item numbers.
 */
export const transitionCandidates: CandidateGenerator = {
  name: "transitions",
  summary: "what was bought after the items of the history, the first --count-candidates of them",
  propose({ history }, { lags, together }, { countCandidates }) {
    const scores = new Map<number, number>();
    const add = ({ offsets, columns, values }: typeof together, item: number, weight: number) => {
      for (let at = offsets[item]; at < offsets[item + 1]; at++) {
        scores.set(columns[at], (scores.get(columns[at]) ?? 0) + weight * values[at]);
      }
    };
    for (const [lag, weight] of WEIGHTS.entries()) {
      const item = history.at(-1 - lag);
      if (item !== undefined) add(lags[lag], item, weight / (lags[lag].rowSums[item] + 1));
    }
    for (const item of history) add(together, item, TOGETHER);
    return [...scores].sort(([a, x], [b, y]) => y - x || a - b).slice(0, countCandidates).map(([item]) =>
      item
    );
  },
};

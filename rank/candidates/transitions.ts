import type { PurchaseCounts } from "../counts/purchases.ts";
import type { SparseCounts } from "../counts/sparse.ts";
import type { CandidateGenerator } from "./candidates.ts";
import { ItemSums } from "./item_sums.ts";

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
  propose({ history }, { counts }, { countCandidates }) {
    const { lags, together } = counts;
    const sums = scratchOf(counts);
    const add = ({ offsets, columns, values }: SparseCounts, item: number, weight: number) => {
      for (let at = offsets[item]; at < offsets[item + 1]; at++) {
        sums.add(columns[at], weight * values[at]);
      }
    };
    for (const [lag, weight] of WEIGHTS.entries()) {
      const item = history.at(-1 - lag);
      if (item !== undefined) add(lags[lag], item, weight / (lags[lag].rowSums[item] + 1));
    }
    for (const item of history) add(together, item, TOGETHER);
    return sums.take(countCandidates);
  },
};

/** Sums of items by the counts that they are of, all 0 between two requests. */
const scratches = new WeakMap<PurchaseCounts, ItemSums>();

function scratchOf(counts: PurchaseCounts): ItemSums {
  let scratch = scratches.get(counts);
  if (!scratch) scratches.set(counts, scratch = new ItemSums(counts.bought.length));
  return scratch;
}

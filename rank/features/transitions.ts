import { LAGS } from "../counts/purchases.ts";
import { countAt } from "../counts/sparse.ts";
import type { FeatureGroup } from "./features.ts";

/**
 * How often a candidate was bought so many purchases after the item at that distance, for the distances 1 to
 * {@link LAGS}: the share of count / (row sum + 1), then the count. Last, how often the latest item came right after the
 * candidate, as a share. 0 where the history is shorter.
 */
export const transitionFeatures: FeatureGroup = {
  name: "transitions",
  summary: "counts of what followed each of the latest items, and the other way round",
  open({ counts: { lags } }) {
    return {
      columns: [
        ...Array.from(
          { length: LAGS },
          (_, lag) => [{ name: `lag${lag + 1}.share` }, { name: `lag${lag + 1}.count` }],
        )
          .flat(),
        { name: "reverse.share" },
      ],
      write({ history }, items, put) {
        for (let lag = 0; lag < LAGS; lag++) {
          const from = history.at(-1 - lag);
          for (const [i, item] of items.entries()) {
            const count = from === undefined ? 0 : countAt(lags[lag], from, item);
            put(i, 2 * lag, count === 0 ? 0 : count / (lags[lag].rowSums[from!] + 1));
            put(i, 2 * lag + 1, count);
          }
        }
        const last = history.at(-1);
        for (const [i, item] of items.entries()) {
          const count = last === undefined ? 0 : countAt(lags[0], item, last);
          put(i, 2 * LAGS, count === 0 ? 0 : count / (lags[0].columnSums[last!] + 1));
        }
      },
    };
  },
};

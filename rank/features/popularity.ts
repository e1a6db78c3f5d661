import type { FeatureGroup } from "./features.ts";

/** ln(1 + purchases) in the train split and in its latest part, and the share of purchases that are followed by the same item. */
export const popularityFeatures: FeatureGroup = {
  name: "popularity",
  summary: "how often an item was bought, lately, and twice in a row",
  open({ counts: { bought, recent, repeats, lags: [{ rowSums }] } }) {
    return {
      columns: [{ name: "bought" }, { name: "recent" }, { name: "repeats" }],
      write(_request, items, put) {
        for (const [i, item] of items.entries()) {
          put(i, 0, Math.log1p(bought[item]));
          put(i, 1, Math.log1p(recent[item]));
          put(i, 2, repeats[item] / (rowSums[item] + 1));
        }
      },
    };
  },
};

import { REACH } from "../counts/purchases.ts";
import { countAt } from "../counts/sparse.ts";
import type { FeatureGroup } from "./features.ts";

/**
 * How often a candidate was bought after the items of the history at any distance, near ones counting more, as shares of
 * count / (sum + 1): mean over the latest {@link REACH} items, mean of the other direction, and the largest share.
 */
export const togetherFeatures: FeatureGroup = {
  name: "together",
  summary: "counts of purchases after and before any item of the history",
  open({ counts: { together } }) {
    return {
      columns: [{ name: "after.mean" }, { name: "before.mean" }, { name: "after.most" }],
      write({ history }, items, put) {
        const read = history.slice(-REACH);
        for (const [i, item] of items.entries()) {
          let after = 0, before = 0, most = 0;
          for (const from of read) {
            const share = countAt(together, from, item) / (together.rowSums[from] + 1);
            after += share;
            most = Math.max(most, share);
            before += countAt(together, item, from) / (together.columnSums[from] + 1);
          }
          put(i, 0, after / Math.max(1, read.length));
          put(i, 1, before / Math.max(1, read.length));
          put(i, 2, most);
        }
      },
    };
  },
};

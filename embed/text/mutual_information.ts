import type { SparseRows } from "../../kernels/matmul/sparse.ts";
import type { ItemHistories } from "../provider.ts";
import { RowBuilder } from "./row_builder.ts";

/** What counts as bought together. */
export interface CoOccurrenceOptions {
  /** Items at most this many places apart in a history count, with weight 1 / places. */
  window: number;
  /** Exponent of the context's counts: below 1, rare contexts lose some of their weight. */
  contextSmoothing: number;
}

/**
 * Positive pointwise mutual information of items in histories: (N, N), symmetric but for the smoothing,
 * max(0, ln(c(i, j) C / (c(i) c_s(j)))), with c the weighted counts of pairs, their row sums and their total, and c_s
 * the row sums raised to `contextSmoothing`, scaled to the same total. Source: Levy, Goldberg and Dagan 2015,
 * sections 3.1 and 3.2. An item does not co-occur with itself, and one without neighbours has an empty row.
 */
export function positiveMutualInformation(
  { items, histories }: ItemHistories,
  { window, contextSmoothing }: CoOccurrenceOptions,
): SparseRows {
  const counts = Array.from({ length: items }, () => new Map<number, number>());
  for (const history of histories) {
    for (const [place, item] of history.entries()) {
      for (let apart = 1; apart <= window && place + apart < history.length; apart++) {
        const other = history[place + apart];
        if (other === item) continue;
        counts[item].set(other, (counts[item].get(other) ?? 0) + 1 / apart);
        counts[other].set(item, (counts[other].get(item) ?? 0) + 1 / apart);
      }
    }
  }
  const sums = counts.map((row) => row.values().reduce((sum, count) => sum + count, 0));
  const smoothed = sums.map((sum) => sum ** contextSmoothing);
  const total = smoothed.reduce((sum, value) => sum + value, 0);

  const builder = new RowBuilder();
  for (const [item, row] of counts.entries()) {
    for (const [other, count] of [...row].sort(([a], [b]) => a - b)) {
      const information = Math.log(count * total / (sums[item] * smoothed[other]));
      if (information > 0) builder.add(other, information);
    }
    builder.endRow();
  }
  return builder.build(items);
}

import type { SparseRows } from "../../kernels/matmul/sparse.ts";
import type { FeatureGroup } from "./features.ts";

/** Cosine of the words of title, maker and categories: of a candidate and the latest item, and the mean over the history. */
export const textFeatures: FeatureGroup = {
  name: "texts",
  summary: "how much titles, makers and categories are like those of the history",
  open({ texts }) {
    if (texts === undefined) return { missing: "items have no titles, makers or categories" };
    const last = new Float32Array(texts.cols), all = new Float32Array(texts.cols);
    return {
      columns: [{ name: "words.last" }, { name: "words.all" }],
      write({ history }, items, put) {
        const latest = history.slice(-1);
        for (const item of latest) addRow(texts, item, 1, last);
        for (const item of history) addRow(texts, item, 1 / history.length, all);
        for (const [i, item] of items.entries()) {
          put(i, 0, product(texts, item, last));
          put(i, 1, product(texts, item, all));
        }
        // Only what was written is cleared: a row of zeros as long as the vocabulary would take longer than the rest.
        for (const item of latest) clearRow(texts, item, last);
        for (const item of history) clearRow(texts, item, all);
      },
    };
  },
};

function addRow(
  { offsets, columns, values }: SparseRows,
  row: number,
  weight: number,
  to: Float32Array,
): void {
  for (let at = offsets[row]; at < offsets[row + 1]; at++) to[columns[at]] += weight * values[at];
}

function clearRow({ offsets, columns }: SparseRows, row: number, of: Float32Array): void {
  for (let at = offsets[row]; at < offsets[row + 1]; at++) of[columns[at]] = 0;
}

function product({ offsets, columns, values }: SparseRows, row: number, dense: Float32Array): number {
  let sum = 0;
  for (let at = offsets[row]; at < offsets[row + 1]; at++) sum += values[at] * dense[columns[at]];
  return sum;
}

import { type SparseRows, transposeSparse } from "../../kernels/matmul/sparse.ts";
import type { CandidateGenerator } from "./candidates.ts";
import { ItemSums } from "./item_sums.ts";

/** Latest items whose words are asked about, and what each counts of the one after it. */
const LATEST = 5, DECAY = 0.8;
/** Items with a word in common that are looked at. The rarest words come first: a word of half of all says little. */
const MOST_LOOKS = 30_000;

/**
 * Items most like the latest ones by title, maker and categories: the sum of the cosines of their words, late items
 * counting more. They are where items that were hardly ever bought come from. Equal sums in the order of item numbers.
 */
export const textCandidates: CandidateGenerator = {
  name: "texts",
  summary: "items whose texts are like those of the latest items, the first --text-candidates of them",
  propose({ history }, { texts }, { textCandidates }) {
    if (texts === undefined || textCandidates === 0) return [];
    const { items, sums } = indexOf(texts);
    let looks = 0;
    const words = [...wordsOf(history.slice(-LATEST), texts)]
      .map(([word, weight]) => ({ word, weight, count: items.offsets[word + 1] - items.offsets[word] }))
      .sort((a, b) => a.count - b.count || a.word - b.word);
    for (const { word, weight, count } of words) {
      if ((looks += count) > MOST_LOOKS) break;
      for (let at = items.offsets[word]; at < items.offsets[word + 1]; at++) {
        sums.add(items.columns[at], weight * items.values[at]);
      }
    }
    return sums.take(textCandidates, new Set(history));
  },
};

/** The words of some items, latest last, and what each weighs. */
function wordsOf(latest: readonly number[], { offsets, columns, values }: SparseRows): Map<number, number> {
  const weights = new Map<number, number>();
  for (const [place, item] of latest.entries()) {
    const weight = DECAY ** (latest.length - 1 - place);
    for (let at = offsets[item]; at < offsets[item + 1]; at++) {
      weights.set(columns[at], (weights.get(columns[at]) ?? 0) + weight * values[at]);
    }
  }
  return weights;
}

/** Bytes of what is kept beside these terms to be asked for candidates. */
export function wordIndexBytes({ rows, cols, columns }: SparseRows): number {
  return 4 * (cols + 1) + 8 * columns.length + 8 * rows;
}

/** Items by their words, and sums of items, all 0 between two requests. */
interface WordIndex {
  items: SparseRows;
  sums: ItemSums;
}

const indexes = new WeakMap<SparseRows, WordIndex>();

function indexOf(texts: SparseRows): WordIndex {
  let index = indexes.get(texts);
  if (!index) {
    index = { items: transposeSparse(texts), sums: new ItemSums(texts.rows) };
    indexes.set(texts, index);
  }
  return index;
}

import { untitled } from "../../data/corpus_dataset.ts";
import type { Item } from "../../data/dataset.ts";
import { tfidf } from "../../embed/text/tfidf.ts";
import type { SparseRows } from "../../kernels/matmul/sparse.ts";
import type { Recommender } from "../../eval/recommender.ts";
import type { PurchaseCounts } from "../counts/purchases.ts";
import type { FeatureSources } from "./features.ts";
import { listLengthOf, type ListOptions } from "../lists/ask_runs.ts";

/** How items are compared: by their words. */
const TERMS = { hashBits: 17, letters: 0, seed: 0 };

/** Weighted words of title, maker and categories (N, terms), rows of length 1; undefined where no item has any. */
export function itemTerms(items: readonly Item[]): SparseRows | undefined {
  const texts = items.map(({ title, brand, categories = [] }, item) =>
    [title === untitled(item) ? "" : title, brand, ...categories].filter(Boolean).join(" ")
  );
  return texts.some((text) => text !== "") ? tfidf(texts, TERMS) : undefined;
}

/** What features of the lists of `runs` are computed from. */
export function featureSources(
  counts: PurchaseCounts,
  texts: SparseRows | undefined,
  runs: readonly Pick<Recommender, "scoreUnit" | "scoreItems">[],
  options: Pick<ListOptions, "k" | "scored">,
): FeatureSources {
  return {
    counts,
    runs: runs.map((run, i) => ({
      name: `run${i + 1}`,
      scoreUnit: run.scoreUnit,
      listLength: listLengthOf(run, options),
    })),
    ...texts && { texts },
  };
}

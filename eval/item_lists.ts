import type { Sample } from "../data/dataset.ts";
import type { Trie } from "../sid/trie.ts";
import { popularityScorer } from "./count_scorers.ts";
import type { BeamResult } from "../decode/beam_search.ts";

/** One recommendation. */
export interface ScoredItem {
  /** Item number. */
  item: number;
  /** Log-probability of its SID. */
  score: number;
}

/** Turns lists of SIDs into lists of items. */
export class ItemLists {
  readonly #trie: Trie;
  /** (N): 0 for the most popular item. */
  readonly #places: Uint32Array;

  /** `train` is in time order: items that share a SID are listed by how often they occur there. */
  constructor(trie: Trie, train: readonly Sample[], itemCount: number) {
    this.#trie = trie;
    this.#places = new Uint32Array(itemCount);
    popularityScorer(train, itemCount).rank([], itemCount).items.forEach((item, place) =>
      this.#places[item] = place
    );
  }

  /** The best `top` items of a search, without those in `without`; items of one SID have its score. */
  list({ leaves, scores }: BeamResult, top: number, without: ReadonlySet<number> = new Set()): ScoredItem[] {
    const listed: ScoredItem[] = [];
    for (const [i, leaf] of leaves.entries()) {
      if (listed.length >= top) break;
      const group = Array.from(this.#trie.itemsOf(leaf)).filter((item) => !without.has(item))
        .sort((a, b) => this.#places[a] - this.#places[b]);
      listed.push(...group.map((item) => ({ item, score: scores[i] })));
    }
    return listed.slice(0, top);
  }
}

/**
 * Beams that hold `top` items whatever `without` takes away, since each item takes away one SID at most. A power of
 * two times `beams`, so that users differ in few widths and what one gets does not depend on the others.
 */
export function beamsFor(beams: number, top: number, without: number): number {
  let wide = beams;
  while (wide < top + without) wide *= 2;
  return wide;
}

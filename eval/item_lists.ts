import type { BeamResult } from "../decode/beam_search.ts";
import type { Sample } from "../data/dataset.ts";
import type { Trie } from "../sid/trie.ts";
import { popularityScorer } from "./count_scorers.ts";
import type { Candidate } from "./recommender.ts";

/** One recommendation. */
export interface ScoredItem {
  /** Item number. */
  item: number;
  /** Score of its candidate. */
  score: number;
}

/** Turns leaves of tries into candidates. */
export class SidLists {
  readonly #names: readonly string[];
  /** (N): 0 for the most popular item. */
  readonly #places: Uint32Array;

  /** `names` are joined SIDs (N). `train` is in time order: items of one SID are listed by how often they occur there. */
  constructor(names: readonly string[], train: readonly Sample[]) {
    this.#names = names;
    this.#places = new Uint32Array(names.length);
    popularityScorer(train, names.length).rank([], names.length).items.forEach((item, place) =>
      this.#places[item] = place
    );
  }

  /** The best `k` SIDs of a search that have other items than those in `without`. */
  list(
    trie: Trie,
    { leaves, scores }: BeamResult,
    k: number,
    without: ReadonlySet<number> = new Set(),
  ): Candidate[] {
    const listed: Candidate[] = [];
    for (const [i, leaf] of leaves.entries()) {
      if (listed.length >= k) break;
      const all = trie.itemsOf(leaf);
      const items = this.inOrder(Array.from(all).filter((item) => !without.has(item)));
      if (items.length > 0) listed.push({ name: this.#names[all[0]], items, score: scores[i] });
    }
    return listed;
  }

  /** Items by popularity. */
  inOrder(items: readonly number[]): number[] {
    return items.toSorted((a, b) => this.#places[a] - this.#places[b]);
  }
}

/** The best `top` items of candidates; items of one candidate have its score. */
export function listedItems(candidates: readonly Candidate[], top: number): ScoredItem[] {
  return candidates.flatMap(({ items, score }) => items.map((item) => ({ item, score }))).slice(0, top);
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

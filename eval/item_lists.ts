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

/** All `count` items from the most to the least bought; `train` is in time order. */
export function popularItems(train: readonly Sample[], count: number): number[] {
  return popularityScorer(train, count).rank([], count).items;
}

/** Turns leaves of tries into candidates. */
export class SidLists {
  readonly #names: readonly string[];
  /** (N): 0 for the most popular item. */
  readonly #places: Uint32Array;

  /** `names` are joined SIDs (N). Items of one SID are listed in the order of `popular`, which has all (N). */
  constructor(names: readonly string[], popular: readonly number[]) {
    this.#names = names;
    this.#places = new Uint32Array(names.length);
    popular.forEach((item, place) => this.#places[item] = place);
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

import type { Embeddings } from "../embeddings.ts";
import { PrefixTree } from "../prefix_tree.ts";

/** An item beside another one. */
export interface Neighbour {
  /** Item number. */
  item: number;
  /** Euclidean distance between the vectors of the two. */
  distance: number;
}

/** Items whose SIDs begin alike. */
export interface PrefixNeighbours {
  /** Codes that they share with the item, no more. */
  shared: number;
  /** How many there are. */
  count: number;
  /** The nearest of them, nearest first. */
  nearest: Neighbour[];
}

/** Finds items by the beginnings of their SIDs. */
export class PrefixIndex {
  readonly #sids: readonly (readonly string[])[];
  readonly #embeddings: Embeddings;
  readonly #tree: PrefixTree;

  /** `sids[i]` are the tokens of item `i`, row `i` of the embeddings (N, D) is what they describe. */
  constructor(sids: readonly (readonly string[])[], embeddings: Embeddings) {
    this.#sids = sids;
    this.#embeddings = embeddings;
    this.#tree = new PrefixTree(sids);
  }

  /** Items whose SIDs begin with the first `length` tokens of this item's, itself included, ascending. */
  itemsWith(item: number, length: number): readonly number[] {
    return this.#tree.itemsWith(this.#sids[item].slice(0, length));
  }

  /**
   * Neighbours of an item by the number of codes that they share with it, from all to 1; numbers that no item shares
   * are left out. At most `most` of each, equally near ones by item number.
   */
  neighbours(item: number, most: number): PrefixNeighbours[] {
    const groups: PrefixNeighbours[] = [];
    const seen = new Set([item]);
    for (let shared = this.#sids[item].length; shared > 0; shared--) {
      const others = this.itemsWith(item, shared).filter((other) => !seen.has(other));
      if (others.length === 0) continue;
      others.forEach((other) => seen.add(other));
      const nearest = others.map((other) => ({ item: other, distance: this.#distance(item, other) }))
        .sort((a, b) => a.distance - b.distance || a.item - b.item)
        .slice(0, most);
      groups.push({ shared, count: others.length, nearest });
    }
    return groups;
  }

  #distance(a: number, b: number): number {
    const { data, dim } = this.#embeddings;
    let squares = 0;
    for (let i = 0; i < dim; i++) squares += (data[a * dim + i] - data[b * dim + i]) ** 2;
    return Math.sqrt(squares);
  }
}

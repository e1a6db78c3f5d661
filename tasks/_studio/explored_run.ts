import { UserError } from "../../base/user_error.ts";
import { reducedRows } from "../../embed/text/reduced_rows.ts";
import { tfidf } from "../../embed/text/tfidf.ts";
import { truncatedSvd } from "../../embed/text/truncated_svd.ts";
import { ItemSearch } from "../../eval/item_search.ts";
import type { Recommender } from "../../eval/recommender.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { PrefixTree } from "../../sid/prefix_tree.ts";
import { firstCodeClusters } from "../../sid/report/cluster_names.ts";
import { mapItems } from "../../sid/report/item_map.ts";
import type {
  FoundItems,
  ItemPlace,
  StudioItem,
  StudioMap,
  TreeLevel,
  TreeShape,
} from "../../web/studio/messages.ts";
import { listedItem } from "../_recommend/answer.ts";
import { NeighbourIndex } from "../_serve/neighbours.ts";

/** Items that a list shows. */
const SHOWN = 8;
/** Directions that titles are reduced to before the two of the map. */
const TITLE_RANK = 16;
const MAP_ITEMS = 20_000;
/** A beginning is drawn from so small a share of the items on. */
const DRAWN_BANDS = 1000;
const SEED = 42;

/** Items that a run knows, to be looked through. */
export class ExploredRun {
  readonly recommender: Recommender;
  readonly #device: () => Promise<Device>;
  readonly #search: ItemSearch;
  readonly #tree: PrefixTree;
  readonly #sids: readonly (readonly string[])[];
  #neighbours: Promise<NeighbourIndex> | undefined;
  #map: Promise<StudioMap> | undefined;
  #shape: TreeShape | undefined;

  /** `device` is opened where titles are to be mapped. */
  constructor(recommender: Recommender, device: () => Promise<Device>) {
    this.recommender = recommender;
    this.#device = device;
    this.#search = new ItemSearch(recommender.dataset.items);
    this.#sids = recommender.catalogue.sids ?? [];
    this.#tree = new PrefixTree(this.#sids);
  }

  /** Items by words of their titles. */
  find(query: string): FoundItems {
    const found = this.#search.find(query);
    return { total: found.length, items: found.slice(0, SHOWN).map((item) => this.named(item)) };
  }

  /** Throws `UserError` for items that the run does not know. */
  checkItems(items: readonly number[]): void {
    const count = this.recommender.dataset.items.length;
    const unknown = items.find((item) => item >= count);
    if (unknown === undefined) return;
    throw new UserError(
      `Cannot use item ${unknown}: the run knows items 0 to ${count - 1}. Search it by its title`,
    );
  }

  /** An item and what is near it. Throws `UserError` for an item that the run does not know. */
  async place(item: number): Promise<ItemPlace> {
    this.checkItems([item]);
    const { description, categories } = this.recommender.dataset.items[item];
    const sid = this.#sids[item] ?? [];
    this.#neighbours ??= this.#makeNeighbours();
    const { by, items } = (await this.#neighbours).of(item, SHOWN);
    return {
      ...this.named(item),
      ...(description && { description }),
      ...(categories && { categories }),
      path: sid.map((token, i) => ({ token, items: this.#tree.itemsWith(sid.slice(0, i + 1)).length })),
      siblings: this.#siblings(item, sid),
      neighbours: { by, items: items.map(({ item, score }) => ({ ...this.named(item), score })) },
    };
  }

  /** What follows a beginning of SIDs. Throws `UserError` where no SID begins so. */
  level(prefix: readonly string[]): TreeLevel {
    const items = this.#tree.itemsWith(prefix);
    if (items.length === 0) {
      throw new UserError(
        this.#sids.length === 0
          ? "Cannot show a tree: this run scores items by themselves and has no semantic IDs. Choose another one"
          : `Cannot find ${prefix.join("")}: no SID begins so. Go back to the root`,
      );
    }
    return {
      prefix: [...prefix],
      count: items.length,
      widths: this.#tree.widths(prefix),
      children: this.#withWords(prefix, items),
      items: items.slice(0, SHOWN).map((item) => this.named(item)),
    };
  }

  /** The whole tree, without beginnings of so few items that they could not be seen. */
  shape(): TreeShape {
    return this.#shape ??= {
      count: this.#sids.length,
      widths: this.#tree.widths([]),
      reached: this.#tree.widths([]).map((_, i) => this.#sids.filter(({ length }) => length > i).length),
      levels: this.#tree.bands(this.#sids.length / DRAWN_BANDS),
    };
  }

  /** Items in the plane, by their vectors or, without any, by the words of their titles. */
  map(): Promise<StudioMap> {
    return this.#map ??= this.#makeMap();
  }

  /** An item by its number. */
  named(item: number): StudioItem {
    return listedItem(this.recommender, item);
  }

  #siblings(item: number, sid: readonly string[]): ItemPlace["siblings"] {
    const seen = new Set([item]);
    return sid.map((_, i) => sid.length - i).flatMap((shared) => {
      const others = this.#tree.itemsWith(sid.slice(0, shared)).filter((other) => !seen.has(other));
      others.forEach((other) => seen.add(other));
      if (others.length === 0) return [];
      return [{
        shared,
        count: others.length,
        items: others.slice(0, SHOWN).map((other) => this.named(other)),
      }];
    });
  }

  #withWords(prefix: readonly string[], items: readonly number[]): TreeLevel["children"] {
    const { dataset } = this.recommender;
    const rest = items.filter((item) => this.#sids[item].length > prefix.length);
    if (rest.length === 0) return [];
    const clusters = firstCodeClusters(
      rest.map((item) => this.#sids[item].slice(prefix.length)),
      rest.map((item) => dataset.items[item].title),
    );
    const words = new Map(clusters.map(({ token, words }) => [token, words]));
    return this.#tree.children(prefix).map((child) => ({ ...child, words: words.get(child.token) ?? [] }));
  }

  async #makeNeighbours(): Promise<NeighbourIndex> {
    return new NeighbourIndex(this.recommender, await this.recommender.embeddings());
  }

  async #makeMap(): Promise<StudioMap> {
    const { dataset: { items } } = this.recommender;
    const titles = items.map(({ title }) => title);
    // Without SIDs all are of one colour.
    const sids = this.#sids.length > 0 ? this.#sids : items.map(() => ["<items>"]);
    const known = await this.recommender.embeddings();
    const vectors = known
      ? { by: "the model's item vectors", rows: items.length, ...known }
      : await this.#titleVectors(titles);
    const map = mapItems(vectors, MAP_ITEMS, SEED);
    return {
      by: vectors.by,
      map: { ...map, tokens: map.items.map((item) => sids[item][0]) },
      clusters: firstCodeClusters(sids, this.#sids.length > 0 ? titles : undefined),
    };
  }

  async #titleVectors(titles: readonly string[]) {
    const terms = tfidf(titles, { hashBits: 16, letters: 0, seed: SEED });
    const rank = Math.min(TITLE_RANK, terms.rows, terms.cols);
    if (rank === 0) {
      throw new UserError(
        "Cannot map the items: the run has no vectors of them, and no two titles share a word",
      );
    }
    const data = reducedRows(await truncatedSvd(await this.#device(), terms, { rank, seed: SEED }), 1);
    return { by: "the words of the titles", rows: titles.length, dim: rank, data };
  }
}

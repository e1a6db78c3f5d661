import type { Item } from "../data/dataset.ts";

const plain = (text: string) => text.normalize("NFC").toLowerCase();

/** Finds items by words of their titles, or by their ids. */
export class ItemSearch {
  readonly #titles: readonly string[];
  readonly #ids: readonly string[];
  readonly #order: readonly number[];

  /** `order` has all item numbers, in the order in which those that fit alike are listed. Default: as they are. */
  constructor(items: readonly Pick<Item, "id" | "title">[], order: readonly number[] = [...items.keys()]) {
    this.#order = order;
    this.#titles = items.map(({ title }) => plain(title));
    this.#ids = items.map(({ id }, item) => plain(id ?? String(item)));
  }

  /**
   * Item numbers: the item with this very id, then those whose titles start with the query, then those that hold each of
   * its words. An empty query finds all.
   */
  find(query: string): number[] {
    const asked = plain(query).trim();
    const words = asked.split(/\s+/);
    const places: number[][] = [[], [], []];
    for (const item of this.#order) {
      const title = this.#titles[item];
      if (this.#ids[item] === asked) places[0].push(item);
      else if (title.startsWith(asked)) places[1].push(item);
      else if (words.every((word) => title.includes(word))) places[2].push(item);
    }
    return places.flat();
  }
}

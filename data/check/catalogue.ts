import type { CorpusItem, CorpusUser } from "../corpus.ts";
import type { Findings } from "./findings.ts";

/** Items and users, in parts: ids once each, a title on every item where any has one. */
export class CatalogueCheck {
  #findings: Findings;
  /** Numbers by id. */
  #items = new Map<string, number>();
  #users = new Map<string, number>();
  #counts = { item: 0, user: 0 };
  #untitled: { first: number; count: number } = { first: -1, count: 0 };

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Items in the order of their numbers. */
  addItems(items: readonly CorpusItem[]): void {
    for (const { id, title, price } of items) {
      const item = this.#counts.item++;
      this.#note("item", this.#items, id, item);
      if (title.trim() === "") {
        if (this.#untitled.count++ === 0) this.#untitled.first = item;
      }
      if (price !== undefined && !(price >= 0)) {
        this.#findings.add("A price is not a number from 0", `item ${item}: ${price}`);
      }
    }
  }

  /** Users in the order of their numbers, after all items. */
  addUsers(users: readonly CorpusUser[]): void {
    this.#items.clear();
    for (const { id } of users) this.#note("user", this.#users, id, this.#counts.user++);
  }

  /** After all of them; the memory of ids is given back. */
  end(): void {
    const { first, count } = this.#untitled;
    if (count > 0 && count < this.#counts.item) {
      this.#findings.add("An item has no title", `item ${first}`, count);
    }
    this.#items.clear();
    this.#users.clear();
  }

  #note(name: string, seen: Map<string, number>, id: string, number: number): void {
    const earlier = seen.get(id);
    if (earlier !== undefined) {
      this.#findings.add(`Two ${name}s have the same id`, `"${id}" of ${name}s ${earlier} and ${number}`);
    }
    seen.set(id, number);
  }
}

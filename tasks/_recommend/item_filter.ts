import type { HistoryRow } from "./histories.ts";

/** What the flags keep off the lists. */
export class ItemFilter {
  /** Items to choose from; undefined: all. */
  readonly allowed: readonly number[] | undefined;
  readonly #allowed: ReadonlySet<number> | undefined;
  readonly #items: number;
  readonly #excludeSeen: boolean;

  /** `items` is how many there are. */
  constructor(items: number, excludeSeen: boolean, allowed: readonly number[] | undefined) {
    this.allowed = allowed;
    this.#allowed = allowed && new Set(allowed);
    this.#items = allowed?.length ?? items;
    this.#excludeSeen = excludeSeen;
  }

  /** Items of the choice that a user with this history is not shown. */
  excluded(history: readonly number[]): Set<number> {
    if (!this.#excludeSeen) return new Set();
    return new Set(this.#allowed ? history.filter((item) => this.#allowed!.has(item)) : history);
  }

  /** Why nothing can be recommended to somebody: nothing is known of them, or nothing is left. */
  faultOf({ history, place, fault }: HistoryRow): string | undefined {
    if (fault !== undefined || this.excluded(history).size < this.#items) return fault;
    return `Cannot recommend for ${place}: all ${this.#items} items${
      this.allowed ? " of --category" : ""
    } are in the history. Leave --exclude-seen out`;
  }
}

import { highest } from "../../eval/highest.ts";

/** Sums of positive numbers by item, of which a request touches few: what it takes does not grow with the catalogue. */
export class ItemSums {
  readonly #sums: Float64Array;
  #touched: number[] = [];

  /** Sums of 0 for so many items. */
  constructor(items: number) {
    this.#sums = new Float64Array(items);
  }

  /** Adds to the sum of an item. */
  add(item: number, value: number): void {
    if (this.#sums[item] === 0) this.#touched.push(item);
    this.#sums[item] += value;
  }

  /** The `most` items with the highest sums, but those `without`, equal ones in the order of their numbers. All are 0 again. */
  take(most: number, without: ReadonlySet<number> = new Set()): number[] {
    const best = highest(this.#sums, most, this.#touched.filter((item) => !without.has(item)));
    for (const item of this.#touched) this.#sums[item] = 0;
    this.#touched = [];
    return best;
  }
}

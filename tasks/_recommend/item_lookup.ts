import type { Dataset, Item } from "../../data/dataset.ts";
import { didYouMean } from "../../base/did_you_mean.ts";
import { UserError } from "../../base/user_error.ts";

const SHOWN = 3;
const SHOWN_CATEGORIES = 10;

/** Items as users name them: by number or title. `data` is what messages call the dataset. */
export class ItemLookup {
  readonly #items: readonly Item[];
  readonly #data: string;
  #byTitle: Map<string, number[]> | undefined;

  constructor({ items }: Pick<Dataset, "items">, data: string) {
    this.#items = items;
    this.#data = data;
  }

  /** Throws {@link UserError} for a number that no item has; `place` says where it stands. */
  check(numbers: readonly number[], place: string): void {
    const unknown = numbers.find((item) => item >= this.#items.length);
    if (unknown === undefined) return;
    throw new UserError(
      `Cannot recommend for item ${unknown} of ${place}: ${this.#data} has items 0 to ${
        this.#items.length - 1
      }. ` +
        "Use item numbers of this dataset",
    );
  }

  /** The item with this very title. Throws {@link UserError} with the nearest where there is none, or several. */
  numberOf(title: string, place: string): number {
    this.#byTitle ??= Map.groupBy(this.#items.keys(), (item) => this.#items[item].title.trim());
    const found = this.#byTitle.get(title.trim()) ?? [];
    if (found.length === 1) return found[0];
    const what = `Cannot recommend for title ${JSON.stringify(title)} of ${place}`;
    if (found.length > 1) {
      throw new UserError(
        `${what}: items ${found.join(", ")} have it, expected one. Name the item by number instead`,
      );
    }
    throw new UserError(`${what}: no item of ${this.#data} has it${this.#nearest(title)}`);
  }

  #nearest(title: string): string {
    const part = title.toLowerCase();
    const holding = [...this.#items.entries()].filter(([, { title }]) => title.toLowerCase().includes(part));
    if (part !== "" && holding.length > 0) {
      const shown = holding.slice(0, SHOWN).map(([item, { title }]) =>
        `${JSON.stringify(title)} (item ${item})`
      );
      const more = holding.length > SHOWN ? ` and ${holding.length - SHOWN} more` : "";
      return `. It is part of ${shown.join(", ")}${more}`;
    }
    const suggestion = didYouMean(title, this.#items.map(({ title }) => title));
    return suggestion || ". Use whole titles, or item numbers";
  }
}

/** Numbers of the items in any of these categories. Throws {@link UserError} for one that no item is in. */
export function itemsIn(
  categories: readonly string[],
  { items }: Pick<Dataset, "items">,
  data: string,
): number[] {
  const allowed = new Set<number>();
  for (const category of categories) {
    const wanted = category.normalize("NFC");
    const members = [...items.keys()].filter((item) =>
      items[item].categories?.some((name) => name.normalize("NFC") === wanted)
    );
    if (members.length === 0) {
      throw new UserError(
        `Cannot filter by category ${JSON.stringify(category)}: ${known(category, items, data)}`,
      );
    }
    members.forEach((item) => allowed.add(item));
  }
  return [...allowed].sort((a, b) => a - b);
}

function known(category: string, items: readonly Item[], data: string): string {
  const names = [...new Set(items.flatMap(({ categories }) => categories ?? []))].sort();
  if (names.length === 0) return `the items of ${data} have no categories. Leave --category out`;
  const more = names.length > SHOWN_CATEGORIES ? ` and ${names.length - SHOWN_CATEGORIES} more` : "";
  return `no item of ${data} is in it${didYouMean(category, names)}. There are ${
    names.slice(0, SHOWN_CATEGORIES).join(", ")
  }${more}`;
}

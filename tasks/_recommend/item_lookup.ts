import type { Dataset, Item } from "../../data/dataset.ts";
import { didYouMean } from "../../base/did_you_mean.ts";
import { UserError } from "../../base/user_error.ts";

const SHOWN = 3;
const SHOWN_CATEGORIES = 10;

/** Texts that look alike are alike: an accent may be one character or two. */
const spelled = (text: string) => text.trim().normalize("NFC");

/**
 * Items as users name them: by number, id or title. `data` is what messages call the dataset, `use` what fails where it
 * lacks an item.
 */
export class ItemLookup {
  readonly #items: readonly Item[];
  readonly #data: string;
  readonly #use: string;
  #byTitle: Map<string, number[]> | undefined;
  readonly #byId = new Map<string, number>();
  /** Whether the data has ids beside the item numbers. */
  readonly hasIds: boolean;

  constructor({ items }: Pick<Dataset, "items">, data: string, use = "recommend for") {
    this.#items = items;
    this.#data = data;
    this.#use = use;
    for (const [item, { id }] of items.entries()) if (id !== undefined) this.#byId.set(spelled(id), item);
    this.hasIds = this.#byId.size > 0;
  }

  /** The id of an item in the data; undefined where that is its number. */
  idOf(item: number): string | undefined {
    return this.#items[item].id;
  }

  /**
   * The item that a history names: a number is an item number, else an id; a text is an id, else an item number;
   * `id:` before it leaves no choice. Undefined for one that the data does not have.
   */
  find(name: number | string): number | undefined {
    const text = spelled(String(name));
    const byNumber = /^\d+$/.test(text) && Number(text) < this.#items.length ? Number(text) : undefined;
    if (text.startsWith("id:") && !this.#byId.has(text)) return this.#byId.get(spelled(text.slice(3)));
    const byId = this.#byId.get(text);
    return typeof name === "number" ? byNumber ?? byId : byId ?? byNumber;
  }

  /** Says of the numbers among `names` that are ids of other items how they are taken, a line each. */
  notes(names: readonly (number | string)[]): string[] {
    return names.flatMap((name) => {
      const rival = typeof name === "number" ? this.#byId.get(String(name)) : undefined;
      return rival === undefined || rival === this.find(name)
        ? []
        : `Note: ${name} is taken as an item number; the item with the id ${name} is ${rival}: id:${name}`;
    });
  }

  /** Whether an item has this very title. */
  hasTitle(title: string): boolean {
    return this.#withTitle(title).length > 0;
  }

  /** What is wrong with names that no item has; `place` says where they stand. */
  unknown(names: readonly (number | string)[], place: string): UserError {
    const shown = names.slice(0, SHOWN).join(", ") +
      (names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "");
    return new UserError(
      `Cannot ${this.#use} item ${shown} of ${place}: ${this.#data} has items 0 to ${
        this.#items.length - 1
      }` +
        `${this.hasIds ? ` with ids such as ${this.#byId.keys().next().value}` : ""}. ` +
        `Use item numbers${this.hasIds ? " or ids" : ""} of this dataset`,
    );
  }

  #withTitle(title: string): number[] {
    this.#byTitle ??= Map.groupBy(this.#items.keys(), (item) => spelled(this.#items[item].title));
    return this.#byTitle.get(spelled(title)) ?? [];
  }

  /** The item with this very title. Throws {@link UserError} with the nearest where there is none, or several. */
  numberOf(title: string, place: string): number {
    const found = this.#withTitle(title);
    if (found.length === 1) return found[0];
    const what = `Cannot ${this.#use} title ${JSON.stringify(title)} of ${place}`;
    if (found.length > 1) {
      throw new UserError(
        `${what}: items ${found.join(", ")} have it, expected one. Name the item by number instead`,
      );
    }
    throw new UserError(`${what}: no item of ${this.#data} has it${this.#nearest(title)}`);
  }

  #nearest(title: string): string {
    const part = spelled(title).toLowerCase();
    const holding = [...this.#items.entries()].filter(([, { title }]) =>
      spelled(title).toLowerCase().includes(part)
    );
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

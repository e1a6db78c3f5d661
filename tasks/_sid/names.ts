import type { Corpus, CorpusItem } from "../../data/corpus.ts";
import { cleanText } from "../../data/item_text.ts";
import { didYouMean } from "../../base/did_you_mean.ts";
import { UserError } from "../../base/user_error.ts";

/** What people call the items; arrays by item number. */
export interface ItemNames {
  ids: string[];
  titles: string[];
  /** Most special category, or where no item has one the brand; absent where no item has either. */
  labels?: { kind: string; values: (string | undefined)[] };
}

/** Names in a dataset, followed by items that were added to its SIDs later. */
export function namesOf({ items }: Pick<Corpus, "items">, added: readonly CorpusItem[] = []): ItemNames {
  const all = [...items, ...added];
  const names: ItemNames = {
    ids: all.map(({ id }) => id),
    titles: all.map(({ title }, item) => cleanText(title) || `item ${item}`),
  };
  const kinds = {
    category: ({ categories }: CorpusItem) => categories.at(-1),
    brand: ({ brand }: CorpusItem) => brand,
  };
  for (const [kind, labelOf] of Object.entries(kinds)) {
    const values = all.map((item) => labelOf(item) || undefined);
    if (values.some((value) => value !== undefined)) return { ...names, labels: { kind, values } };
  }
  return names;
}

const SUGGESTED = 5;

/**
 * Number of the item that `text` names: an item number, an id, or a title or a part of one, in any case.
 * @throws {UserError} with suggestions where no item or more than one fits.
 */
export function findItem(text: string, { ids, titles }: ItemNames): number {
  // Every task calls items by their numbers, so these come before ids that are numbers too.
  if (/^\d+$/.test(text) && Number(text) < titles.length) return Number(text);
  const id = ids.indexOf(text);
  if (id >= 0) return id;
  if (/^\d+$/.test(text)) {
    throw new UserError(
      `Cannot find item ${text}: expected a number from 0 to ${titles.length - 1}, an id or a title`,
    );
  }
  const wanted = text.toLowerCase();
  const exact = titles.findIndex((title) => title.toLowerCase() === wanted);
  if (exact >= 0) return exact;
  const fitting = titles.keys().toArray().filter((item) => titles[item].toLowerCase().includes(wanted));
  if (fitting.length === 1) return fitting[0];
  if (fitting.length > 1) {
    const more = fitting.length > SUGGESTED ? ` and ${fitting.length - SUGGESTED} more` : "";
    throw new UserError(
      `Cannot tell which item ${JSON.stringify(text)} is: it is in the titles of ` +
        `${fitting.slice(0, SUGGESTED).map((item) => `${item} (${titles[item]})`).join(", ")}${more}. ` +
        "Name its number or more of its title",
    );
  }
  const near = nearestTitles(wanted, titles);
  const hint = near.length > 0
    ? `. Nearest titles: ${near.map((item) => `${item} (${titles[item]})`).join(", ")}`
    : didYouMean(text, ids) || ". Name an item number, an id or a part of a title";
  throw new UserError(`Cannot find item ${JSON.stringify(text)}: no number, id or title fits${hint}`);
}

/** Items whose titles have most words in common with the text. */
function nearestTitles(wanted: string, titles: readonly string[]): number[] {
  const words = wanted.split(/\s+/).filter((word) => word.length > 2);
  return titles
    .map((title, item) => ({ item, hits: words.filter((word) => title.toLowerCase().includes(word)).length }))
    .filter(({ hits }) => hits > 0)
    .sort((a, b) => b.hits - a.hits || a.item - b.item)
    .slice(0, 3)
    .map(({ item }) => item);
}

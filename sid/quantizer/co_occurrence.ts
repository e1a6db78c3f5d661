import { PhiloxStream } from "../../base/philox.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import { UserError } from "../../base/user_error.ts";

/** No item. */
export const NO_ITEM = 0xffffffff;

/** Items bought right before or after each item: those of item n are `items[offsets[n]]` to `items[offsets[n + 1] - 1]`. */
export interface CoOccurrences {
  /** (N + 1). */
  offsets: Uint32Array;
  /** One entry for every time that the two were bought in a row. */
  items: Uint32Array;
}

/**
 * Counts neighbours in histories of items below `rows`, oldest first; an item bought twice in a row is no neighbour.
 * @throws {UserError} if a history names an item that does not exist, or no two items are neighbours.
 */
export function countCoOccurrences(histories: readonly (readonly number[])[], rows: number): CoOccurrences {
  const offsets = new Uint32Array(rows + 1);
  forEachPair(histories, (one, other) => {
    const beyond = Math.max(one, other);
    if (beyond >= rows) {
      throw new UserError(
        `Cannot pair items: a history holds item ${beyond}, but there are embeddings of ${rows} items. ` +
          "Name the dataset that the embeddings were made from",
      );
    }
    offsets[one + 1]++;
    offsets[other + 1]++;
  });
  for (let item = 0; item < rows; item++) offsets[item + 1] += offsets[item];
  if (offsets[rows] === 0) {
    throw new UserError(
      "Cannot pair items: no history of the train period holds two different items in a row. " +
        "Use a dataset with longer histories, or --method rqvae",
    );
  }
  const next = offsets.slice();
  const items = new Uint32Array(offsets[rows]);
  forEachPair(histories, (one, other) => {
    items[next[one]++] = other;
    items[next[other]++] = one;
  });
  return { offsets, items };
}

/** An epoch's items in pairs. */
export interface PairedItems {
  /** The items in random order, the two of a pair side by side. */
  order: Uint32Array;
  /** What each item (N) is paired with, or {@link NO_ITEM}. */
  partners: Uint32Array;
}

/**
 * Pairs items, each at most once, with an item that was bought beside them, at random and the likelier the more often;
 * where all of those are taken an item stays alone. The same seed and epoch give the same pairs. Items with the same
 * entry in `groups` (N) are near one another in the order.
 */
export function pairItems(
  coOccurrences: CoOccurrences,
  items: Uint32Array,
  seed: number,
  epoch: number,
  groups?: readonly string[],
): PairedItems {
  const shuffled = shuffledOrder(items.length, seed, epoch).map((at) => items[at]);
  const partners = choosePartners(
    coOccurrences,
    shuffled,
    new PhiloxStream(seed, "co-occurrence pairs", epoch),
  );
  const members = new Map<string, number[]>();
  if (groups) {
    for (const item of shuffled) {
      const group = members.get(groups[item]);
      if (group) group.push(item);
      else members.set(groups[item], [item]);
    }
  }
  const order = new Uint32Array(items.length);
  const placed = new Uint8Array(partners.length);
  let next = 0;
  for (const first of shuffled) {
    const waiting = [first];
    for (const item of waiting) { // grows as it goes: with an item come its partner and their groups
      if (placed[item]) continue;
      const pair = partners[item] === NO_ITEM ? [item] : [item, partners[item]];
      for (const one of pair) {
        placed[one] = 1;
        order[next++] = one;
        if (!groups) continue;
        for (const mate of members.get(groups[one]) ?? []) waiting.push(mate);
        members.delete(groups[one]);
      }
    }
  }
  return { order, partners };
}

/** Partner of each item (N), or {@link NO_ITEM}; the first of `items` chooses first. */
function choosePartners(
  { offsets, items: beside }: CoOccurrences,
  items: Uint32Array,
  random: PhiloxStream,
): Uint32Array {
  const partners = new Uint32Array(offsets.length - 1).fill(NO_ITEM);
  const free = new Uint8Array(partners.length);
  for (const item of items) free[item] = 1;
  for (const item of items) {
    if (!free[item]) continue;
    free[item] = 0;
    const candidates = beside.subarray(offsets[item], offsets[item + 1]).filter((other) => free[other]);
    if (candidates.length === 0) continue;
    const partner = candidates[random.below(candidates.length)];
    free[partner] = 0;
    partners[item] = partner;
    partners[partner] = item;
  }
  return partners;
}

function forEachPair(
  histories: readonly (readonly number[])[],
  visit: (one: number, other: number) => void,
): void {
  for (const history of histories) {
    for (let i = 1; i < history.length; i++) {
      if (history[i] !== history[i - 1]) visit(history[i - 1], history[i]);
    }
  }
}

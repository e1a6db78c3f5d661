import { shuffledOrder } from "../../base/shuffle.ts";

/** How well the beginnings of SIDs agree with labels, such as categories, that took no part in making them. */
export interface PrefixPurity {
  /** Codes of the prefix. */
  codes: number;
  /** Prefixes that at least two labelled items share. */
  groups: number;
  /** Labelled items in those. */
  items: number;
  /** Share of these items that have the most frequent label of their prefix. */
  purity: number;
  /** The same after the labels were dealt out at random: small groups are purer by chance alone. */
  chance: number;
}

/**
 * Purity by prefix length, for 1 up to `levels` codes; lengths at which no two labelled items share a prefix are left
 * out. `labels[i]` is undefined where item `i` has none.
 */
export function prefixPurity(
  sids: readonly (readonly string[])[],
  labels: readonly (string | undefined)[],
  levels: number,
  seed = 42,
): PrefixPurity[] {
  const labelled = sids.keys().toArray().filter((item) => labels[item] !== undefined);
  const known = labelled.map((item) => labels[item]!);
  const order = shuffledOrder(known.length, seed, 0);
  const shuffled = known.map((_, i) => known[order[i]]);
  const result: PrefixPurity[] = [];
  for (let codes = 1; codes <= levels; codes++) {
    const groups = new Map<string, number[]>();
    labelled.forEach((item, i) => {
      const key = sids[item].slice(0, codes).join("");
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [i]);
      else group.push(i);
    });
    const shared = [...groups.values()].filter((group) => group.length > 1);
    if (shared.length === 0) continue;
    const items = shared.reduce((sum, group) => sum + group.length, 0);
    const share = (of: readonly string[]) =>
      shared.reduce((sum, group) => sum + largestCount(group.map((i) => of[i])), 0) / items;
    result.push({ codes, groups: shared.length, items, purity: share(known), chance: share(shuffled) });
  }
  return result;
}

/** The most frequent value and how often it occurs, the first one of equals; undefined where there is none. */
export function mostFrequent(values: readonly string[]): { value: string; count: number } | undefined {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let best: { value: string; count: number } | undefined;
  for (const [value, count] of counts) if (best === undefined || count > best.count) best = { value, count };
  return best;
}

function largestCount(values: readonly string[]): number {
  return mostFrequent(values)?.count ?? 0;
}

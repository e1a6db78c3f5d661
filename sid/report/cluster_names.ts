import { wordsOf } from "../../base/words.ts";

/** Items of one first code. */
export interface Cluster {
  /** Token, such as `<a_12>`. */
  token: string;
  /** Items that begin with it. */
  items: number;
  /** Words that set their titles apart, the strongest first; empty where there are no titles. */
  words: string[];
}

const WORDS = 2;
/** Words of fewer titles of a cluster name an item, not the cluster. */
const LEAST_TITLES = 2;

/** First codes with their items, most items first; `titles` are the items' titles, if there are any. */
export function firstCodeClusters(
  sids: readonly (readonly string[])[],
  titles: readonly string[] | undefined,
): Cluster[] {
  const itemsByToken = new Map<string, number[]>();
  sids.forEach(([token], item) => {
    const items = itemsByToken.get(token);
    if (items === undefined) itemsByToken.set(token, [item]);
    else items.push(item);
  });
  const titleWords = titles?.map((title) => new Set(wordsOf(title).filter(isWord)));
  const totals = titleWords && countOf(titleWords);
  return [...itemsByToken]
    .map(([token, items]) => ({
      token,
      items: items.length,
      words: titleWords === undefined
        ? []
        : distinctive(items.map((item) => titleWords[item]), totals!, sids.length),
    }))
    .sort((a, b) => b.items - a.items || (a.token < b.token ? -1 : 1));
}

/**
 * Words by p(w | cluster) ln(p(w | cluster) / p(w)), a word's share of the divergence between the cluster's titles and
 * all titles (Kullback-Leibler): frequent in here, rare elsewhere.
 */
function distinctive(
  titles: readonly ReadonlySet<string>[],
  totals: ReadonlyMap<string, number>,
  catalogue: number,
): string[] {
  return [...countOf(titles)]
    .filter(([, count]) => count >= LEAST_TITLES)
    .map(([word, count]) => {
      const share = count / titles.length;
      return { word, score: share * Math.log(share * catalogue / totals.get(word)!) };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || (a.word < b.word ? -1 : 1))
    .slice(0, WORDS)
    .map(({ word }) => word);
}

function countOf(sets: readonly ReadonlySet<string>[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const words of sets) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** Sizes and single letters name nothing. */
function isWord(word: string): boolean {
  return word.length > 2 && /\p{L}/u.test(word);
}

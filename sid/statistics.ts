import { UserError } from "../base/user_error.ts";
import { collidingGroups } from "./collisions/groups.ts";
import { formatToken } from "./tokens.ts";

/** How well the codewords of one level are used. */
export interface LevelReport {
  /** Letter of the level in token strings. */
  level: string;
  /** Items whose SID reaches this level. */
  items: number;
  /** Different codewords that occur. */
  used: number;
  /** Entries of the codebook; where it is not given, the codewords that occur. */
  codebookSize: number;
  /** used / codebookSize. */
  usage: number;
  /** Gini coefficient of the item counts of all entries: 0 all alike, towards 1 all items on one. */
  gini: number;
  /** Entropy of the codeword of a random item, in bits. */
  entropy: number;
  /** 2 to the entropy: number of equally used codewords with the same entropy. */
  perplexity: number;
}

/** How unique the SIDs of a catalogue are, and how its codebooks are used. */
export interface SidReport {
  /** Items of the catalogue. */
  items: number;
  /** Different SIDs. */
  distinct: number;
  /** (items - distinct) / items. */
  collisionRate: number;
  /** SIDs that more than one item has. */
  collisionGroups: number;
  /** Items in those groups. */
  collidingItems: number;
  /** Most items on one SID. */
  largestGroup: number;
  /** Number of items by SID length, such as `{ "3": 3003, "4": 683 }`. */
  lengths: Record<string, number>;
  /** One entry a level, the longest SID's levels. */
  levels: LevelReport[];
}

/**
 * Report of an index; `sids[i]` are the token strings of item `i`. `codebookSizes[l]` is the number of codewords of
 * level `l`, so that unused ones count too.
 * @throws {UserError} if there is no item, or a level uses more codewords than its codebook has.
 */
export function reportSids(
  sids: readonly (readonly string[])[],
  codebookSizes: readonly number[] = [],
): SidReport {
  if (sids.length === 0) throw new UserError("Cannot report on SIDs: the index has no items");
  const groups = collidingGroups(sids);
  const collidingItems = groups.reduce((sum, group) => sum + group.length, 0);
  const distinct = sids.length - collidingItems + groups.length;
  const lengths: Record<string, number> = {};
  const counts: Map<string, number>[] = [];
  for (const sid of sids) {
    lengths[sid.length] = (lengths[sid.length] ?? 0) + 1;
    sid.forEach((token, level) => {
      counts[level] ??= new Map();
      counts[level].set(token, (counts[level].get(token) ?? 0) + 1);
    });
  }
  return {
    items: sids.length,
    distinct,
    collisionRate: (sids.length - distinct) / sids.length,
    collisionGroups: groups.length,
    collidingItems,
    largestGroup: groups.reduce((largest, group) => Math.max(largest, group.length), 1),
    lengths,
    levels: counts.map((level, at) =>
      reportLevel(formatToken({ level: at, codeword: 0 })[1], [...level.values()], codebookSizes[at])
    ),
  };
}

/** Gini coefficient of counts: 0 where all are alike, (n - 1) / n where one has everything. */
export function codewordGini(counts: readonly number[]): number {
  const ascending = counts.toSorted((a, b) => a - b);
  const total = ascending.reduce((sum, count) => sum + count, 0);
  const weighted = ascending.reduce((sum, count, i) => sum + (i + 1) * count, 0);
  return (2 * weighted) / (counts.length * total) - (counts.length + 1) / counts.length;
}

/** Entropy in bits of a random draw with these counts. */
export function entropy(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce(
    (bits, count) => count === 0 ? bits : bits - (count / total) * Math.log2(count / total),
    0,
  );
}

/** Report of a level, of the items that each of its used codewords has. */
export function reportLevel(
  level: string,
  counts: readonly number[],
  codebookSize = counts.length,
): LevelReport {
  const used = counts.length;
  if (used > codebookSize) {
    throw new UserError(
      `Cannot report on level ${level}: it uses ${used} codewords, its codebook has ${codebookSize}. ` +
        `Pass the sizes that the index was built with`,
    );
  }
  const bits = entropy(counts);
  return {
    level,
    items: counts.reduce((sum, count) => sum + count, 0),
    used,
    codebookSize,
    usage: used / codebookSize,
    gini: codewordGini([...counts, ...Array<number>(codebookSize - used).fill(0)]),
    entropy: bits,
    perplexity: 2 ** bits,
  };
}

import { shuffledOrder } from "../../base/shuffle.ts";
import { type Cluster, firstCodeClusters } from "./cluster_names.ts";
import { collidingGroups } from "../collisions/groups.ts";
import type { Embeddings } from "../embeddings.ts";
import { type ItemMap, mapItems } from "./item_map.ts";
import { PrefixIndex } from "./neighbours.ts";
import { type PrefixPurity, prefixPurity } from "./purity.ts";
import { reportSids, type SidReport } from "../statistics.ts";
import { sidWarnings } from "./warnings.ts";

/** What a report is made from. Arrays of items go by item number. */
export interface CatalogueInput {
  /** Vectors that the codes describe, (N, D). */
  embeddings: Embeddings;
  /** Tokens as coded, before the collision policy. */
  coded: readonly (readonly string[])[];
  /** Tokens of the index. */
  sids: readonly (readonly string[])[];
  /** Codewords of each learned level. */
  codebookSizes: readonly number[];
  /** Reconstruction error by level: mean squared difference over items and dimensions. */
  errors: readonly number[];
  /** Titles, where they are known. */
  titles?: readonly string[];
  /** Labels that took no part in making the SIDs, where they are known; undefined for an item without one. */
  labels?: { kind: string; values: readonly (string | undefined)[] };
}

/** An item with its name. */
export interface NamedItem {
  /** Item number. */
  item: number;
  /** Title, or "item 12" where none is known. */
  title: string;
}

/** Items on one SID. */
export interface CollisionGroup {
  /** The SID, as one text. */
  sid: string;
  /** Its items, the first ones. */
  items: NamedItem[];
  /** How many there are. */
  size: number;
}

/** An item that the policy gave other codes. */
export interface MovedItem extends NamedItem {
  /** SID as coded. */
  from: string;
  /** SID in the index. */
  to: string;
}

/** An item and the nearest of those whose SIDs begin like its own. */
export interface NeighbourExample extends NamedItem {
  /** Its SID. */
  sid: string;
  /** From all codes shared to one. */
  groups: { shared: number; count: number; nearest: (NamedItem & { sid: string; distance: number })[] }[];
}

/** Everything that `sid.report.json` says of the SIDs themselves; lists are cut, counts are not. */
export interface CatalogueReport extends SidReport {
  /** What is wrong and what to do. */
  warnings: string[];
  /** Reconstruction error by level. */
  errors: readonly number[];
  /** The same as shares of the variance of the vectors: what the codes so far leave unexplained. */
  unexplained: number[];
  /** SIDs as coded. */
  beforePolicy: Pick<
    SidReport,
    "distinct" | "collisionRate" | "collisionGroups" | "collidingItems" | "largestGroup"
  >;
  /** Items by codeword of each learned level, most first; unused codewords are left out. */
  codewordItems: number[][];
  /** Largest collision groups as coded. */
  collisionsBefore: CollisionGroup[];
  /** Largest collision groups that the policy left. */
  collisionsAfter: CollisionGroup[];
  /** Items that the policy changed. */
  changed: number;
  /** The first of them. */
  moved: MovedItem[];
  /** Examples, drawn at random. */
  neighbours: NeighbourExample[];
  /** Agreement with labels; null where there are none. */
  purity: { by: string; prefixes: PrefixPurity[] } | null;
  /** First codes, most items first. */
  clusters: Cluster[];
  /** Items in the plane, each with its first token. */
  map: ItemMap & { tokens: string[] };
}

/** Groups, moved items and other lists are cut to this. */
const LISTED = 50;
const LISTED_MEMBERS = 8;
const EXAMPLES = 8;
const NEAREST = 3;
const MAP_ITEMS = 10_000;
const SEED = 42;

/** The report of a catalogue; the same input gives the same report. */
export function reportCatalogue(input: CatalogueInput): CatalogueReport {
  const { embeddings, coded, sids, codebookSizes, errors, titles, labels } = input;
  const before = reportSids(coded, codebookSizes);
  const after = reportSids(sids, codebookSizes);
  const named = (item: number): NamedItem => ({ item, title: titles?.[item] ?? `item ${item}` });
  const changed = sids.keys().toArray().filter((item) => textOf(sids[item]) !== textOf(coded[item]));
  const variance = varianceOf(embeddings);
  const unexplained = errors.map((error) => variance === 0 ? 0 : error / variance);
  const map = mapItems(embeddings, MAP_ITEMS, SEED);
  const { distinct, collisionRate, collisionGroups, collidingItems, largestGroup } = before;
  return {
    warnings: sidWarnings(before, after, unexplained),
    ...after,
    errors,
    unexplained,
    beforePolicy: { distinct, collisionRate, collisionGroups, collidingItems, largestGroup },
    codewordItems: codebookSizes.map((_, level) => codewordItems(sids, level)),
    collisionsBefore: groupsOf(coded, named),
    collisionsAfter: groupsOf(sids, named),
    changed: changed.length,
    moved: changed.slice(0, LISTED).map((item) => ({
      ...named(item),
      from: textOf(coded[item]),
      to: textOf(sids[item]),
    })),
    neighbours: examples(sids, embeddings, named),
    purity: labels === undefined
      ? null
      : { by: labels.kind, prefixes: prefixPurity(sids, labels.values, codebookSizes.length, SEED) },
    clusters: firstCodeClusters(sids, titles),
    map: { ...map, tokens: map.items.map((item) => sids[item][0]) },
  };
}

function textOf(sid: readonly string[]): string {
  return sid.join("");
}

function groupsOf(
  sids: readonly (readonly string[])[],
  named: (item: number) => NamedItem,
): CollisionGroup[] {
  return collidingGroups(sids)
    .sort((a, b) => b.length - a.length || a[0] - b[0])
    .slice(0, LISTED)
    .map((group) => ({
      sid: textOf(sids[group[0]]),
      size: group.length,
      items: group.slice(0, LISTED_MEMBERS).map(named),
    }));
}

function codewordItems(sids: readonly (readonly string[])[], level: number): number[] {
  const counts = new Map<string, number>();
  for (const sid of sids) counts.set(sid[level], (counts.get(sid[level]) ?? 0) + 1);
  return [...counts.values()].sort((a, b) => b - a);
}

/** Items that share some codes with others, in random order: a lone item would show nothing. */
function examples(
  sids: readonly (readonly string[])[],
  embeddings: Embeddings,
  named: (item: number) => NamedItem,
): NeighbourExample[] {
  const index = new PrefixIndex(sids, embeddings);
  const found: NeighbourExample[] = [];
  for (const item of shuffledOrder(sids.length, SEED, 0)) {
    if (found.length === EXAMPLES) break;
    const shared = sids[item].length > 2 ? 2 : 1;
    if (index.itemsWith(item, shared).length === 1) continue;
    const groups = index.neighbours(item, NEAREST).map(({ shared, count, nearest }) => ({
      shared,
      count,
      nearest: nearest.map(({ item, distance }) => ({
        ...named(item),
        sid: textOf(sids[item]),
        distance: Number(distance.toPrecision(4)),
      })),
    }));
    found.push({ ...named(item), sid: textOf(sids[item]), groups });
  }
  return found;
}

/** Mean over items and dimensions of the squared difference to the mean vector. */
function varianceOf({ data, rows, dim }: Embeddings): number {
  const mean = new Float64Array(dim);
  for (let i = 0; i < data.length; i++) mean[i % dim] += data[i] / rows;
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i] - mean[i % dim]) ** 2;
  return sum / data.length;
}

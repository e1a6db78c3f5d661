import type { TreeBand } from "../../sid/prefix_tree.ts";

/** A run as the studio lists it. */
export interface StudioRun {
  /** Its place in the list, by which requests name it. */
  id: number;
  /** The part of its path that sets it apart. */
  name: string;
  path: string;
  /** What trained it, such as `sft`; "" where nothing tells. */
  task: string;
  dataset: string;
  adapter: string;
}

/** A line of `metrics.jsonl`. */
export type LogLine = Readonly<Record<string, unknown>>;

/** What `metrics.jsonl` got since it was read last. */
export interface LogTail {
  /** Another one tells that the file was written anew: what was read before is not in it any more. */
  version: string;
  /** Bytes of the file up to the last whole line, where the next reading goes on. */
  end: number;
  lines: LogLine[];
  /** Seconds since the file was written to; null where there is none. */
  age: number | null;
}

/** Settings of all runs, in their order. */
export type StudioSettings = Readonly<Record<string, unknown>>[];

/** What evaluations say, as parts of a page: HTML of the reports that `genrec compare` writes. */
export interface EvaluationPage {
  html: string;
  /** Systems that may be the baseline of the paired tests. */
  systems: string[];
  baseline: string;
}

/** An item as the studio lists it. */
export interface StudioItem {
  item: number;
  id?: string;
  sid?: string;
  title: string;
}

/** What `studio/items` answers. */
export interface FoundItems {
  total: number;
  items: StudioItem[];
}

/** An item with its place in the tree of SIDs, and what is near it. */
export interface ItemPlace extends StudioItem {
  description?: string;
  categories?: string[];
  /** From the first code on: the items that begin so. Empty where the run has no SIDs. */
  path: { token: string; items: number }[];
  /** Items with the same codes but the last ones, most codes first. */
  siblings: { shared: number; count: number; items: StudioItem[] }[];
  /** Nearest first. */
  neighbours: { by: string; items: (StudioItem & { score: number })[] };
}

/** What follows a beginning of SIDs. */
export interface TreeLevel {
  prefix: string[];
  /** Items below it. */
  count: number;
  /** Different beginnings one code longer, two codes longer and so on. */
  widths: number[];
  /** Most items first. */
  children: { token: string; items: number; children: number; words: string[] }[];
  /** Some of its items, the first ones. */
  items: StudioItem[];
}

/** The whole tree of SIDs. */
export interface TreeShape {
  /** Items. */
  count: number;
  /** Different beginnings of one code, of two codes and so on. */
  widths: number[];
  /** Items that have so many codes. */
  reached: number[];
  /** By number of codes: those beginnings that are wide enough to be seen. */
  levels: TreeBand[][];
}

/** Items in the plane. */
export interface StudioMap {
  /** What the places are made of; "" where nothing is known. */
  by: string;
  map: { items: number[]; x: number[]; y: number[]; explained: [number, number]; tokens: string[] };
  clusters: { token: string; items: number; words: string[] }[];
}

/** What a run says of a history. */
export interface TriedRun {
  scoreUnit: string;
  /** Best first. */
  items: (StudioItem & { score: number; effects?: { feature: string; effect: number }[] })[];
  /** After each code, best first: the beginnings of SIDs that the search kept, log-probabilities, and the listed items below. */
  kept?: { prefix: string[]; score: number; listed: number }[][];
  reasoning?: string;
}

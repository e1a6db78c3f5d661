import type { Split } from "../dataset.ts";
import type { SplitKind } from "../corpus.ts";

/** How many rows the tables of a dataset have, by their own word, before any is read. */
export interface CorpusSizes {
  split: SplitKind;
  items: number;
  users: number;
  interactions: number;
  samples: Record<Split, number>;
  /** Items of all histories of a split. */
  historyItems: Record<Split, number>;
}

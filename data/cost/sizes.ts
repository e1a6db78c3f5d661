import type { Split } from "../dataset.ts";
import type { SplitKind } from "../corpus.ts";

/** How many rows the tables of a dataset have, by their own word, before any is read. */
export interface CorpusSizes {
  /** How samples were divided. */
  split: SplitKind;
  /** Items of the catalogue. */
  items: number;
  /** Users, with or without samples. */
  users: number;
  /** Rows of the log. */
  interactions: number;
  /** Samples of each split. */
  samples: Record<Split, number>;
  /** Items of all histories of a split. */
  historyItems: Record<Split, number>;
}

import type { ScoredItem } from "../../eval/item_lists.ts";
import type { ShopProgress } from "../training/shop_model.ts";

/** What a page asks its worker, and what it is answered. */
export interface Asks {
  /** Loads the model of the site, or the one that was trained here. */
  open: { ask: { base: string; source: ModelSource }; answer: Opened };
  /** The lines of the training of the model that was trained here; none where there is no such model. */
  kept: { ask: { base: string }; answer: readonly ShopProgress[] };
  /** Trains a model for the built-in shop and keeps it. Lines of its log come as {@link WorkerNews}. */
  train: { ask: { base: string }; answer: Trained };
  /** Ends the training after its step. */
  stop: { ask: object; answer: void };
  /** The best items after each of some histories. */
  recommend: { ask: AskedLists; answer: ListedItems };
}

/** A model that is loaded. */
export interface Opened {
  /** Of the dataset. */
  name: string;
  /** Titles by item number (N). */
  titles: readonly string[];
  /** SIDs by item number (N), joined. */
  sids: readonly string[];
  /** Item numbers from the most to the least bought (N). */
  popular: readonly number[];
  /** Items of a history that the model reads, the latest. */
  maxHistory: number;
  /** What computes. */
  adapter: string;
  /** Milliseconds that loading took, the device included. */
  milliseconds: number;
}

/** What is to be recommended. */
export interface AskedLists {
  /** Item numbers, oldest first, one list a user. */
  histories: readonly (readonly number[])[];
  /** Items to list. */
  top: number;
  /** SIDs that the search keeps. */
  beams: number;
  /** Never list an item of the history. */
  excludeSeen: boolean;
}

/** What is recommended. */
export interface ListedItems {
  /** Items of each user, best first. */
  lists: readonly (readonly ScoredItem[])[];
  /** Milliseconds that the search took. */
  milliseconds: number;
}

/** Where a model comes from: the files of the site, or a training in this browser. */
export type ModelSource = "site" | "own";

/** How a training ended. */
export interface Trained {
  /** Whether the browser keeps the model over a reload. */
  isKept: boolean;
}

/** A question on its way to the worker. */
export type PageQuestion = { [K in keyof Asks]: { id: number; kind: K } & Asks[K]["ask"] }[keyof Asks];

/** An answer on its way back. */
export type WorkerAnswer = { id: number; answer: unknown } | { id: number; error: string };

/** What a worker tells by itself. */
export interface WorkerNews {
  progress: ShopProgress;
}

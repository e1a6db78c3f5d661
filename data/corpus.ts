import type { Split } from "./dataset.ts";

/** Facts of a row that have no column of their own; plain JSON. */
export type Attributes = Record<string, unknown>;

/** One item of the catalogue; its index in {@link Corpus.items} is its item number. */
export interface CorpusItem {
  /** Id in the logs that the data came from; the item number as text where it is not known. */
  id: string;
  /** Empty where the format has no titles. */
  title: string;
  /** Longer text. */
  description?: string;
  /** Maker. */
  brand?: string;
  /** From general to special. */
  categories: string[];
  /** In the currency of the source. */
  price?: number;
  /** Bullet points, joined. */
  features?: string;
  /**
   * Everything else. `raw` holds fields as the original file had them, where the fields above do not give back its
   * text.
   */
  attributes?: Attributes;
}

/** One user; its index in {@link Corpus.users} is the user number. */
export interface CorpusUser {
  /** Id in the files. */
  id: string;
  /** Everything else that is known. */
  attributes?: Attributes;
}

/** One prediction task. */
export interface CorpusSample {
  /** User number. */
  user: number;
  /** Item numbers, oldest first. */
  history: number[];
  /** Item number. */
  target: number;
  /** When the target was bought, in Unix seconds. */
  time?: number;
  /** Everything else that the row had. */
  attributes?: Attributes;
}

/** Every interaction, by user number, then time, then the order of the log. Columns of equal length. */
export interface Interactions {
  /** User numbers, ascending. */
  users: Int32Array;
  /** Item numbers. */
  items: Int32Array;
  /** Unix seconds, NaN where unknown; absent where the format has none. */
  times?: Float64Array;
  /** NaN where unknown; absent where the format has none. */
  ratings?: Float64Array;
}

/** How samples were dealt out: by time over all users, or each user's last two held out. */
export type SplitKind = "time" | "leave-one-out";

/** Every {@link SplitKind}. */
export const SPLIT_KINDS = ["time", "leave-one-out"] as const satisfies SplitKind[];

/** A dataset with everything that its files say: what readers give, writers take and checks look at. */
export interface Corpus {
  /** Short name for reports. */
  name: string;
  /** Where the data comes from, as a sentence for people. */
  source: string;
  /** Terms of use. */
  license: string;
  /** How samples were dealt out. */
  split: SplitKind;
  /** The longest history that a sample may have. */
  maxHistory: number;
  /** The catalogue. */
  items: CorpusItem[];
  /** Everyone with an interaction. */
  users: CorpusUser[];
  /** The log that samples were cut from, or what is known of it from them. */
  interactions: Interactions;
  /** One task a row, in the order of the files. */
  samples: Record<Split, CorpusSample[]>;
  /** Published SIDs, tokens by item number. */
  sids?: string[][];
  /** Texts of files that no table has room for, by `format/file name`; only that format's writer uses them. */
  attachments: Record<string, string>;
  /** Files read. */
  files: string[];
  /** What the files hold and this object does not, as phrases for people. */
  unread: string[];
}

/** One item of the catalogue; its index in `Dataset.items` is its item number. */
export interface Item {
  /** Id in the data that it came from, where that is not the item number. */
  id?: string;
  /** Name shown to people. */
  title: string;
  /** Longer text. */
  description?: string;
  /** Maker. */
  brand?: string;
  /** From general to special; names may hold commas. */
  categories?: string[];
  /** Bullet points, joined. */
  features?: string;
  /** In the currency of the source. */
  price?: number;
  /** GPR's kind of item: advertised (I) or organic (O). */
  itemType?: "I" | "O";
  /** GPR's value of the item, v >= 0. */
  finalValue?: number;
}

/** One prediction task: the items a user bought so far and the item bought next. */
export interface Sample {
  /** User id as in the files. */
  user: string;
  /** Item numbers, oldest first. */
  history: number[];
  /** Item number. */
  target: number;
  /** GPR's token for what is known of the user, e.g. `[USER_HIGH_RATING]`. */
  userToken?: string;
  /** GPR's token for where the user was, e.g. `[CTX_SEARCH]`. */
  contextToken?: string;
}

/** What a user says in a dialogue, and what came of it. */
export interface Turn {
  /** What the user says. */
  said: string;
  /** Number of the item that was recommended then. */
  answered?: number;
  /** Why, where the model wrote reasons before it. */
  reasoning?: string;
}

/** What is known of who asks, beside the history. */
export interface Asker extends Pick<Sample, "userToken" | "contextToken"> {
  /** What somebody wrote of the user's taste, for tasks that ask by it. */
  preference?: string;
  /** Why the next item follows, in words: what a model writes before the SID, or has written. */
  reasoning?: string;
  /** What the user says after the question, turn by turn: all but the last have an answer. */
  turns?: readonly Turn[];
  /** The whole question as a file words it, for tasks that ask in its words. */
  row?: { readonly system: string; readonly instruction: string; readonly input: string };
}

/** Names of what {@link Asker} holds and no dataset does: a task that asks by it is told it. */
export type Told = "preference" | "row" | "reasoning";

/** Name of a split. */
export type Split = "train" | "valid" | "test";

/** The splits in time order. */
export const splits: readonly Split[] = ["train", "valid", "test"];

/** A user's train-period items in time order, as item numbers. */
export interface UserHistory {
  /** User id as in the files. */
  user: string;
  /** Item numbers, oldest first. */
  items: number[];
  /**
   * When each item was bought, from 0 (start of the train period) to 1 (its end): the place of its train sample among
   * all of them. Absent where the order of samples is not their order in time.
   */
  times?: number[];
}

/** Everything that training and evaluation read, independent of the format it came from. */
export interface Dataset {
  /** Short name for reports. */
  name: string;
  /** Where the data comes from, as a sentence for people. */
  source: string;
  /** Terms of use, for reports. */
  license: string;
  /** The catalogue; index = item number. */
  items: Item[];
  /** One task a row, in the order of the files. */
  samples: Record<Split, Sample[]>;
  /**
   * Train-only item sequences in time order: what `histories` mode trains on. They hold no valid or test target
   * unless that item was itself bought in the train period.
   */
  histories: UserHistory[];
  /** Published SIDs, one list of tokens an item, e.g. `["<a_1>", "<b_2>", "<c_3>"]`; absent where none ship. */
  sids?: string[][];
  /** Files read, for the input hashes in a run's manifest; empty for built-in data. */
  files: string[];
}

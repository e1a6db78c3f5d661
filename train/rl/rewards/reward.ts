import type { SettingsSchema } from "../../../base/settings.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import type { Dataset } from "../../../data/dataset.ts";
import type { RlExample } from "../../../data/packing/rl_examples.ts";

/** One answer of the model to a prompt: a SID of the catalogue. */
export interface Completion {
  /** Its token ids (D). */
  tokens: Uint32Array;
  /** Items that have this SID, most popular first; never empty. */
  items: readonly number[];
  /** Log-probability of the SID when it was written, in nats; -Infinity for a target that was put into the group. */
  logProb: number;
}

/** The answers to one prompt. */
export interface RewardGroup {
  /** The prompt and what is right. */
  example: RlExample;
  /** G answers; in `beam` rollouts best first, so that the place is the model's rank, in `sample` rollouts as drawn. */
  completions: readonly Completion[];
  /** Whether `completions` are in the order of the model's scores. */
  ranked: boolean;
}

/** An item that should be answered, and its share of the answers: those of an example add up to one. */
export interface TaughtItem {
  /** Item number. */
  item: number;
  /** Above 0, at most 1. */
  share: number;
}

/** Most items that a reward may teach. */
export const MOST_TAUGHT = 10;

/** Values of a reward for a group. */
export interface Reward {
  /** (G) one value a completion, finite. May be asynchronous, as a function of a user. Gets a copy of the group. */
  score(group: RewardGroup): Float64Array | Promise<Float64Array>;
  /** (G) lists of D values, one a level of the SID, for advantages a level (HEPO); absent: the whole SID has one. */
  scoreLevels?(group: RewardGroup): Float64Array[] | Promise<Float64Array[]>;
  /**
   * At most {@link MOST_TAUGHT} items that should be answered: what the supervised part of the loss learns of an example
   * without a target. Absent: the reward knows none.
   */
  teach?(example: RlExample): Promise<TaughtItem[]>;
  /** Ends what it has running; it is of no use afterwards. */
  close?(): void;
}

/** What rewards are made from. */
export interface RewardContext {
  /** Dataset of the run. */
  dataset: Dataset;
  /** What the model writes for each item where it answers with a SID, index = item number. */
  itemTokens: readonly Uint32Array[];
  /** The same where it answers with a text, by {@link RlExample.text}; absent: no example is. */
  texts?: readonly (readonly Uint32Array[])[];
  /** The device of the run, for rewards that compute on one. */
  device(): Promise<Device>;
  /** Whether nobody knows what is right, so that examples have no targets; default: false. */
  isOpen?: boolean;
  /** The last so many train targets are left out of `dataset`: who scores answers may not know them either; default: 0. */
  holdoutRows?: number;
  /** Tells the user what to look out for. */
  warn(message: string): void;
  /** Seconds that a user's file may go without an answer; 0: for ever. Default: 60. */
  timeout?: number;
}

/** A line of the registry. */
export interface RewardMethod<C = unknown> {
  /** Name for `--reward`. */
  readonly name: string;
  /** Names of other projects for it, which a message for them leads here. */
  readonly aliases?: readonly string[];
  /** One line for help texts. */
  readonly summary: string;
  /** Whether it compares answers with the targets of an example, and says nothing without any; default: false. */
  readonly needsTargets?: boolean;
  /**
   * Settings with defaults and descriptions, which are flags of `genrec rl`; rewards share the names of settings that
   * mean the same. Absent: it has none.
   */
  readonly Config?: SettingsSchema<C>;
  /** Files that it reads under these settings, which a run's manifest tells; absent: none. */
  files?(config: C): string[];
  /** Makes the reward. Throws `UserError` for a file that is missing or does not fit the dataset. */
  create(context: RewardContext, config: C): Reward | Promise<Reward>;
}

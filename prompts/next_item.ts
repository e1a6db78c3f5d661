import type { Asker } from "../data/dataset.ts";
import type { AskedTexts } from "./prompts.ts";
import type { TextPromptsOptions } from "./text_options.ts";

/**
 * How histories become prompts and items become completions: one object for training, validation, evaluation and
 * recommendation, so that a model is always asked in the words that it was trained with.
 */
export interface NextItemPrompts {
  /** Token ids that a model needs, V. */
  readonly vocabulary: number;
  /** What the model writes for each item, index = item number: the paths of the trie. */
  readonly itemTokens: readonly Uint32Array[];
  /** What the model reads before it writes the item after `history` (item numbers, oldest first). */
  prompt(history: readonly number[], asker?: Asker): Uint32Array;
  /** The same in words; absent where a model knows SIDs alone. */
  said?(history: readonly number[], asker?: Asker): AskedTexts;
  /** How reasons are written before a SID; absent where none are. Until a request has some, a prompt asks for them. */
  readonly reasons?: WrittenReasons;
  /** What prompts in words are made with, to ask other tasks in the same words; absent where a model knows SIDs alone. */
  readonly text?: TextPromptsOptions;
}

/** How a model writes reasons before it names an item. */
export interface WrittenReasons {
  /** Most tokens. */
  readonly most: number;
  /** Tokens at which they are over: those of SIDs, and the end of text. */
  readonly stop: ReadonlySet<number>;
  /** The text of the tokens that were written. */
  text(tokens: Uint32Array): string;
}

import { untitled } from "../../data/corpus_dataset.ts";
import type { Dataset } from "../../data/dataset.ts";
import { cleanText } from "../../data/item_text.ts";
import type { Tokenizer } from "../../models/tokenizer/tokenizer.ts";

/** Longest texts in tokens, by default. */
export const TEXT_TOKENS = { title: 64, description: 128 };

/** Texts of items as prompts have them: cleaned, and cut to a number of tokens. */
export class ItemTexts {
  /** Tokens of SIDs, by item number. */
  readonly sidTokens: readonly (readonly string[])[];
  /** SIDs, tokens joined, by item number. */
  readonly sids: readonly string[];
  #titles: readonly string[];
  #descriptions: readonly string[];

  /** `maxTokens` is the longest text; `sids[i]` are the tokens of item i. */
  constructor(
    { items }: Dataset,
    sids: readonly (readonly string[])[],
    tokenizer: Tokenizer,
    maxTokens: { title: number; description: number } = TEXT_TOKENS,
  ) {
    this.sidTokens = sids;
    this.sids = sids.map((sid) => sid.join(""));
    this.#titles = items.map(({ title }, item) =>
      title === untitled(item) ? "" : cutText(tokenizer, cleanText(title), maxTokens.title)
    );
    this.#descriptions = items.map(({ description }) =>
      cutText(tokenizer, cleanText(description ?? ""), maxTokens.description)
    );
  }

  /** Title of an item; "" where it has none. */
  title(item: number): string {
    return this.#titles[item];
  }

  /** Description of an item; "" where it has none. */
  description(item: number): string {
    return this.#descriptions[item];
  }
}

// More than tokens of words have: what comes after need not be encoded to be cut away.
const CHARACTERS_A_TOKEN = 12;

/** A text cut after `maxTokens` tokens, at a space where there is one in its second half. */
export function cutText(tokenizer: Tokenizer, text: string, maxTokens: number): string {
  const likely = text.slice(0, CHARACTERS_A_TOKEN * maxTokens).replace(/[\ud800-\udbff]$/, "");
  const ids = tokenizer.encode(likely, { addSpecialTokens: false });
  if (ids.length <= maxTokens && likely === text) return text;
  // A character may be cut in its middle.
  const start = tokenizer.decode(ids.subarray(0, maxTokens), true).replace(/\ufffd+$/, "").trimEnd();
  const space = start.lastIndexOf(" ");
  return space > start.length / 2 ? start.slice(0, space) : start;
}

import { untitled } from "../../data/corpus_dataset.ts";
import type { Dataset } from "../../data/dataset.ts";
import { cleanText } from "../../data/item_text.ts";
import type { Tokenizer } from "../../models/tokenizer/tokenizer.ts";

/** Longest texts in tokens, by default. */
export const TEXT_TOKENS = { title: 64, description: 128 };

/** Texts of items as prompts have them: cleaned, cut to a number of tokens, and text alone, whatever tokens they spell. */
export class ItemTexts {
  /** Tokens of SIDs, by item number. */
  readonly sidTokens: readonly (readonly string[])[];
  /** SIDs, tokens joined, by item number. */
  readonly sids: readonly string[];
  /** What a user wrote, as text alone: see `Tokenizer.textMarker()`. */
  readonly asText: (text: string) => string;
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
    const mark = this.asText = tokenizer.textMarker(sids.flat());
    const text = (value: string, most: number) => mark(cutText(tokenizer, cleanText(value), most, mark));
    this.#titles = items.map(({ title }, item) =>
      title === untitled(item) ? "" : text(title, maxTokens.title)
    );
    this.#descriptions = items.map(({ description }) => text(description ?? "", maxTokens.description));
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

/**
 * A text cut after `maxTokens` tokens, at a space where there is one in its second half. `mark` says what of it is no token:
 * see `Tokenizer.textMarker()`.
 */
export function cutText(
  tokenizer: Tokenizer,
  text: string,
  maxTokens: number,
  mark: (text: string) => string = (text) => text,
): string {
  const likely = text.slice(0, CHARACTERS_A_TOKEN * maxTokens).replace(/[\ud800-\udbff]$/, "");
  const ids = tokenizer.encode(mark(likely), { addSpecialTokens: false });
  if (ids.length <= maxTokens && likely === text) return text;
  // A character may be cut in its middle.
  const start = tokenizer.decode(ids.subarray(0, maxTokens), true).replace(/\ufffd+$/, "").trimEnd();
  const space = start.lastIndexOf(" ");
  return space > start.length / 2 ? start.slice(0, space) : start;
}

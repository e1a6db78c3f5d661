import type { AddedToken } from "./schema.ts";

const SYNTAX = /[\\^$.*+?()[\]{}|]/g;

/**
 * Stands before an added token that is to be read as text: a character that no text may hold (a Unicode noncharacter).
 * Encoding drops it.
 */
export const TEXT_MARK = "\uffff";

// As \w and \s are in the regular expressions of Hugging Face's tokenizers, which JavaScript's are not: U+0085 is a space
// there, U+FEFF is none, and every alphabet has letters.
const WORD = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
const STARTS_WITH_WORD = new RegExp(`^${WORD}`, "u");
const LAST_CHARACTER = /[\ud800-\udbff]?[^]$/; // V8 does not find a class of characters before $ in a surrogate pair
const SPACE = /\p{White_Space}/u;

/** Part of a text: an added token, or what stands between two of them. */
export type TextPart = { id: number } | {
  /** As the normalizer leaves it. */
  text: string;
  /** Whether the text begins with it. */
  first: boolean;
};

/** Tokens that are looked for together: the longest at each place, from the left. */
interface Lookup {
  pattern: RegExp;
  byContent: ReadonlyMap<string, AddedToken>;
}

/**
 * Finds added tokens in texts as Hugging Face's tokenizers do: those that are not `normalized` in the text as it stands,
 * then the others in what the normalizer makes of the parts between.
 */
export class AddedTokens {
  #asWritten: Lookup | undefined;
  #normalized: Lookup | undefined;
  #normalize: (text: string) => string;

  /** `normalize` is the normalizer. */
  constructor(tokens: readonly AddedToken[], normalize: (text: string) => string) {
    this.#normalize = normalize;
    this.#asWritten = lookup(tokens.filter(({ normalized }) => !normalized), (content) => content);
    this.#normalized = lookup(tokens.filter(({ normalized }) => normalized), normalize);
  }

  /** Parts of a text in their order; no part is empty. */
  split(text: string): TextPart[] {
    const parts: TextPart[] = [];
    for (const outer of found(this.#asWritten, text)) {
      if (outer.token !== undefined) {
        parts.push({ id: outer.token.id });
        continue;
      }
      const piece = this.#normalize(text.slice(outer.start, outer.end));
      for (const { token, start, end } of found(this.#normalized, piece)) {
        const part = piece.slice(start, end).replaceAll(TEXT_MARK, "");
        if (token !== undefined) parts.push({ id: token.id });
        else if (part !== "") parts.push({ text: part, first: outer.start === 0 && start === 0 });
      }
    }
    return parts;
  }
}

function lookup(
  tokens: readonly AddedToken[],
  spelling: (content: string) => string,
): Lookup | undefined {
  const byContent = new Map(
    tokens.map((token) => [spelling(token.content), token] as const).filter(([content]) => content !== ""),
  );
  if (byContent.size === 0) return undefined;
  return { pattern: anyOf(byContent.keys()), byContent };
}

/** Matches the longest of some texts at each place, but none that {@link TEXT_MARK} stands before. */
function anyOf(contents: Iterable<string>): RegExp {
  const longestFirst = [...contents].sort((a, b) => b.length - a.length);
  return new RegExp(`(?<!${TEXT_MARK})(?:${longestFirst.map(escaped).join("|")})`, "g");
}

const escaped = (content: string) => content.replace(SYNTAX, "\\$&");

interface Span {
  start: number;
  end: number;
  token?: AddedToken;
}

/** A text cut at tokens. What a token that stands for whole words only leaves inside a word is text, as in the original. */
function* found(tokens: Lookup | undefined, text: string): Generator<Span> {
  let done = 0;
  if (tokens !== undefined) {
    for (const match of text.matchAll(tokens.pattern)) {
      const token = tokens.byContent.get(match[0])!;
      let start = match.index, end = start + match[0].length;
      if (token.single_word) {
        const before = LAST_CHARACTER.exec(text.slice(Math.max(0, start - 2), start))?.[0] ?? "";
        if (STARTS_WITH_WORD.test(before)) continue;
        if (STARTS_WITH_WORD.test(text.slice(end, end + 2))) continue;
      }
      // Spaces that the token before has taken stay with it; a token of spaces alone may so be gone.
      while (token.lstrip && start > done && SPACE.test(text[start - 1])) start--;
      if (token.lstrip) start = Math.max(start, done);
      while (token.rstrip && end < text.length && SPACE.test(text[end])) end++;
      if (done < start) yield { start: done, end: start };
      if (start < end) yield { start, end, token };
      done = end;
    }
  }
  if (done < text.length) yield { start: done, end: text.length };
}

/**
 * Marks added tokens in a text that a user wrote, so that encoding takes them for text: a title may hold "<|endoftext|>",
 * which ends no answer. Special tokens are marked, and those of `others`.
 */
export function textMarker(
  tokens: readonly AddedToken[],
  others: Iterable<string> = [],
): (text: string) => string {
  const contents = new Set(tokens.filter(({ special }) => special).map(({ content }) => content));
  for (const other of others) contents.add(other);
  contents.delete("");
  if (contents.size === 0) return (text) => text;
  const places = new RegExp(`(?=${[...contents].map(escaped).join("|")})`, "g");
  return (text) => text.replaceAll(TEXT_MARK, "").replace(places, TEXT_MARK);
}

/**
 * Added tokens with `tokens` appended as ordinary ones, which decoding without special tokens leaves in place: sorted by
 * code unit, ids from `first` on. Those that are there already keep their id.
 */
export function withOrdinaryTokens(
  added: readonly AddedToken[],
  tokens: Iterable<string>,
  first: number,
  idOf: (token: string) => number | undefined,
): AddedToken[] {
  const wanted = new Set(tokens);
  const kept = added.map((token) => wanted.has(token.content) ? { ...token, special: false } : token);
  const present = new Set(added.map(({ content }) => content));
  let next = first;
  const fresh = [...wanted].filter((token) => !present.has(token)).sort().map((content) => ({
    id: idOf(content) ?? next++,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false, // found in the text as written, whatever the normalizer does
    special: false,
  }));
  return [...kept, ...fresh];
}

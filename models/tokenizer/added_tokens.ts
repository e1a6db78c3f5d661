import type { AddedToken } from "./schema.ts";

const SYNTAX = /[\\^$.*+?()[\]{}|]/g;

/** Splits texts at added tokens, the longest at each place from the left: see {@link addedTokenPattern}. */
export type AddedTokenPattern = RegExp;

/**
 * Matches every added token; undefined where the place of one decides how the text around it is read: tokens that
 * swallow spaces, whole words only, tokens looked up in normalised text, or a space put before the first part alone.
 */
export function addedTokenPattern(
  tokens: readonly AddedToken[],
  normalizer: unknown,
  preTokenizer: unknown,
): AddedTokenPattern | undefined {
  const depends = tokens.some(({ single_word, lstrip, rstrip, normalized }) =>
    single_word || lstrip || rstrip || normalized && normalizer !== null
  );
  if (
    depends || /"prepend_scheme":"first"|"add_prefix_space":true/.test(JSON.stringify(preTokenizer ?? {}))
  ) {
    return undefined;
  }
  const longestFirst = tokens.map(({ content }) => content).sort((a, b) => b.length - a.length);
  const alternatives = longestFirst.map((content) => content.replace(SYNTAX, "\\$&"));
  return new RegExp(alternatives.length === 0 ? "(?!)" : alternatives.join("|"), "g");
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

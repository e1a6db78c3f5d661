import { readJson } from "../../base/files/json_file.ts";
import { numbered, numberedEntries, objectPieces } from "../../base/json.ts";
import { RawIndex, SID_TOKEN } from "./schema.ts";
import { UserError } from "../../base/user_error.ts";

/**
 * Reads an `index.json`: one token list an item, in item order. Throws `UserError` when it does not hold exactly
 * items 0 … `itemCount` - 1 or a token is not of the form `<x_n>`.
 */
export async function loadIndex(path: string, itemCount: number): Promise<string[][]> {
  const record = await readJson(path, RawIndex);
  const count = Object.keys(record).length;
  if (count !== itemCount) {
    throw new UserError(
      `Cannot use index ${path}: expected SIDs of ${itemCount} items as in the dataset, found ${count}. ` +
        `Use the index that was built for this dataset`,
    );
  }
  return numbered(record, path);
}

/**
 * How an index file is laid out: `lines` has one item a line; the others give the bytes of published files, which are
 * `compact` for an RQ-VAE index and `indent2` for a constrained RQ-KMeans one of MiniOneRec (neither ends in a line
 * end), `indent4` for MIMIGenRec's `id2sid.json`.
 */
export type IndexStyle = typeof INDEX_STYLES[number];

/** Every {@link IndexStyle}. */
export const INDEX_STYLES = ["lines", "compact", "indent2", "indent4"] as const;

/** The text of an `index.json`, an item at a time; `sids` are the tokens of the items, lengths may differ. */
export function* indexPieces(
  sids: Iterable<readonly string[]>,
  style: IndexStyle = "lines",
): Generator<string> {
  if (style === "indent2") return yield* objectPieces(numberedEntries(sids), 2);
  if (style === "indent4") {
    yield* objectPieces(numberedEntries(sids), 4);
    return yield "\n";
  }
  const [open, between, close] = style === "compact" ? ["{", ", ", "}"] : ["{\n", ",\n", "\n}\n"];
  yield open;
  let item = 0;
  for (const sid of sids) {
    yield `${item > 0 ? between : ""}"${item}": [${sid.map((token) => JSON.stringify(token)).join(", ")}]`;
    item++;
  }
  yield close;
}

/** The text of an `index.json`, whole. */
export function formatIndex(sids: readonly (readonly string[])[], style?: IndexStyle): string {
  return [...indexPieces(sids, style)].join("");
}

/**
 * Order in which tokens are added to a vocabulary: `text` compares whole tokens by code point (`<a_10>` before
 * `<a_1>`), which gives the ids of released checkpoints; `number` goes by level, then codeword.
 */
export type TokenOrder = typeof TOKEN_ORDERS[number];

/** Every {@link TokenOrder}. */
export const TOKEN_ORDERS = ["text", "number"] as const;

/** The content of `new_tokens.json`: every token of an index once. Throws `UserError` for a malformed token. */
export function newTokens(sids: Iterable<readonly string[]>, order: TokenOrder = "text"): string[] {
  const found = new Set<string>();
  for (const sid of sids) for (const token of sid) found.add(token);
  const tokens = [...found].map((token) => ({ token, ...tokenParts(token) }));
  // SID tokens are ASCII: code units, which `<` compares, are code points.
  const byText = (a: { token: string }, b: { token: string }) => a.token < b.token ? -1 : 1;
  tokens.sort(
    order === "text"
      ? byText
      : (a, b) => (a.letter < b.letter ? -1 : +(a.letter > b.letter)) || a.codeword - b.codeword,
  );
  return tokens.map(({ token }) => token);
}

/** The text of a `new_tokens.json`. */
export function formatNewTokens(tokens: readonly string[]): string {
  return JSON.stringify(tokens, null, 2) + "\n";
}

/**
 * SIDs with `offset` added to every codeword: 1 turns codes from 0, as RQ-VAE counts, into codes from 1, as constrained
 * RQ-KMeans and RQ-KMeans+ count; -1 turns them back. Throws `UserError` where a codeword would fall below 0.
 */
export function offsetCodes(sids: readonly (readonly string[])[], offset: number): string[][] {
  return sids.map((sid, item) =>
    sid.map((token) => {
      const { letter, codeword } = tokenParts(token);
      if (codeword + offset < 0) {
        throw new UserError(
          `Cannot shift the codes of item ${item} by ${offset}: ${token} would fall below 0. ` +
            `The codes start at 0 already`,
        );
      }
      return `<${letter}_${codeword + offset}>`;
    })
  );
}

function tokenParts(token: string): { letter: string; codeword: number } {
  const match = SID_TOKEN.exec(token);
  if (match === null) {
    throw new UserError(`Cannot use SID token ${JSON.stringify(token)}: expected a token such as <a_12>`);
  }
  return { letter: match[1], codeword: Number(match[2]) };
}

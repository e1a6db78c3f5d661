import { UserError } from "../base/user_error.ts";
import type { NextItemPrompts } from "./next_item.ts";
import { parseToken } from "../sid/tokens.ts";

/** How {@link CodeTokens} lays codes out. */
export interface CodeTokensOptions {
  /** Items of a prompt, the last ones. */
  maxHistory: number;
  /** Codewords that each level has room for. Default: as many as occur. */
  sizes?: readonly number[];
}

/**
 * SIDs as token ids of a model with a table for each level: 0 starts a SID, then come the codewords of the first level,
 * those of the second and so on. Prompts are the SIDs of the history, end to end.
 */
export class CodeTokens implements NextItemPrompts {
  /** Codewords of each level: what `code_sizes` of an `EncoderDecoderConfig` holds. */
  readonly sizes: readonly number[];
  readonly vocabulary: number;
  readonly itemTokens: readonly Uint32Array[];
  #maxHistory: number;

  /**
   * `codes` are the codewords of each item, one a level; lengths may differ.
   * @throws {UserError} for a codeword that its level has no room for.
   */
  constructor(
    codes: readonly (readonly number[])[],
    { maxHistory, sizes = largest(codes) }: CodeTokensOptions,
  ) {
    const starts = [1];
    for (const size of sizes) starts.push(starts.at(-1)! + size);
    this.#maxHistory = maxHistory;
    this.sizes = sizes;
    this.vocabulary = starts.pop()!;
    this.itemTokens = codes.map((codewords, item) =>
      Uint32Array.from(codewords, (codeword, level) => {
        if (codeword < (sizes[level] ?? 0)) return starts[level] + codeword;
        throw new UserError(
          `Cannot use the SID of item ${item}: codeword ${codeword} of level ${level + 1}, expected one of ` +
            `${sizes[level] ?? 0}. Give the level more codewords, or make SIDs with fewer`,
        );
      })
    );
  }

  /**
   * {@link CodeTokens} of token strings such as `<a_12>`.
   * @throws {UserError} for a token of another form, or of another level than its place.
   */
  static fromSids(sids: readonly (readonly string[])[], options: CodeTokensOptions): CodeTokens {
    return new CodeTokens(
      sids.map((sid, item) => sid.map((token, place) => codeword(token, place, item))),
      options,
    );
  }

  /** Tokens of the longest SID. */
  get longest(): number {
    return this.sizes.length;
  }

  prompt(history: readonly number[]): Uint32Array {
    const tokens = joined(history.slice(-this.#maxHistory), this.itemTokens);
    // An encoder reads something: the start of a SID where nothing came before.
    return tokens.length > 0 ? tokens : Uint32Array.of(0);
  }
}

/** SIDs of items (item numbers), end to end. */
export function joined(items: readonly number[], itemTokens: readonly Uint32Array[]): Uint32Array {
  const tokens = new Uint32Array(items.reduce((sum, item) => sum + itemTokens[item].length, 0));
  let at = 0;
  for (const item of items) {
    tokens.set(itemTokens[item], at);
    at += itemTokens[item].length;
  }
  return tokens;
}

function largest(codes: readonly (readonly number[])[]): number[] {
  const sizes: number[] = [];
  for (const codewords of codes) {
    codewords.forEach((codeword, level) => sizes[level] = Math.max(sizes[level] ?? 0, codeword + 1));
  }
  return sizes;
}

function codeword(token: string, place: number, item: number): number {
  const { level, codeword } = parseToken(token);
  if (level === place) return codeword;
  throw new UserError(
    `Cannot use the SID of item ${item}: token ${place + 1} is ${token}, of level ${
      level + 1
    }; expected one of level ` +
      `${place + 1}`,
  );
}

import { z } from "zod";
import { UserError } from "../base/user_error.ts";

/** Place of a token in a SID. */
export interface CodeToken {
  /** Codebook, from 0; letter `a` in token strings. */
  level: number;
  /** Entry of that codebook, from 0. */
  codeword: number;
}

const TOKEN = /^<([a-z])_(0|[1-9][0-9]{0,5})>$/;
const FIRST_LETTER = "a".charCodeAt(0);
const MAX_LEVELS = 26;

/** Ids that a vocabulary for training from scratch starts with, in this order. */
const SPECIAL_TOKENS = ["<pad>", "<bos>", "<eos>"] as const;

/**
 * Reads `"<b_12>"` as level 1, codeword 12.
 * @throws {UserError} if the text has another form.
 */
export function parseToken(token: string): CodeToken {
  const match = TOKEN.exec(token);
  if (match === null) {
    throw new UserError(
      `Cannot read SID token ${
        JSON.stringify(token)
      }: expected a level letter and a codeword below 1,000,000 such as "<a_12>"`,
    );
  }
  return { level: match[1].charCodeAt(0) - FIRST_LETTER, codeword: Number(match[2]) };
}

/**
 * Writes level 1, codeword 12 as `"<b_12>"`.
 * @throws {RangeError} if the level is not in 0..25 or the codeword is not a whole number from 0.
 */
export function formatToken({ level, codeword }: CodeToken): string {
  if (!Number.isInteger(level) || level < 0 || level >= MAX_LEVELS) {
    throw new RangeError(`Cannot write SID token: level is ${level}, expected 0..${MAX_LEVELS - 1}`);
  }
  if (!Number.isInteger(codeword) || codeword < 0) {
    throw new RangeError(`Cannot write SID token: codeword is ${codeword}, expected a whole number from 0`);
  }
  return `<${String.fromCharCode(FIRST_LETTER + level)}_${codeword}>`;
}

/** Writes the codes of one item, one a level, as token strings: `[3, 0]` gives `["<a_3>", "<b_0>"]`. */
export function formatSid(codes: ArrayLike<number>): string[] {
  return Array.from(codes, (codeword, level) => formatToken({ level, codeword }));
}

const VocabularyJson = z.strictObject({
  specialTokens: z.tuple([z.literal("<pad>"), z.literal("<bos>"), z.literal("<eos>")]),
  sidTokens: z.array(z.string()).min(1),
});

/** What {@link SidVocabulary.toJSON} returns. */
export interface SidVocabularyJson {
  /** Tokens of ids 0, 1, 2. */
  specialTokens: string[];
  /** Tokens of the ids after the special ones, sorted by code unit. */
  sidTokens: string[];
}

/**
 * Token strings <-> token ids of a model trained from scratch: `<pad>` 0, `<bos>` 1, `<eos>` 2, then every SID token
 * that occurs, sorted by code unit (so `<a_10>` before `<a_1>`), which is the order of released checkpoints.
 */
export class SidVocabulary {
  /** Id that fills unused positions. */
  readonly padId = 0;
  /** Id that starts a sequence. */
  readonly bosId = 1;
  /** Id that ends a sequence. */
  readonly eosId = 2;
  /** Number of ids, special ones included. */
  readonly size: number;
  /** Longest SID that {@link encode} accepts, in tokens. */
  readonly levels: number;
  readonly #strings: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  private constructor(sidTokens: readonly string[]) {
    this.#strings = [...SPECIAL_TOKENS, ...sidTokens];
    this.#ids = new Map(this.#strings.map((token, id) => [token, id]));
    this.size = this.#strings.length;
    this.levels = 1 + sidTokens.reduce((deepest, token) => Math.max(deepest, parseToken(token).level), 0);
  }

  /**
   * Vocabulary of an index; `sids[i]` are the token strings of item `i`, lengths may differ.
   * @throws {UserError} if there is no item, or a token has another form or another level than its place.
   */
  static fromSids(sids: readonly (readonly string[])[]): SidVocabulary {
    const tokens = new Set<string>();
    sids.forEach((sid, item) => {
      sid.forEach((token, place) => {
        const { level } = parseToken(token);
        if (level !== place) {
          throw new UserError(
            `Cannot use the SID of item ${item}: token ${place + 1} is ${token}, ` +
              `expected a token of level ${formatToken({ level: place, codeword: 0 })[1]}`,
          );
        }
        tokens.add(token);
      });
    });
    if (tokens.size === 0) {
      throw new UserError("Cannot build a SID vocabulary: the index holds no tokens. Pass at least one SID");
    }
    return new SidVocabulary([...tokens].sort());
  }

  /**
   * Reads what {@link toJSON} wrote.
   * @throws {UserError} if the object has another shape, or tokens are unsorted, repeated or malformed.
   */
  static fromJSON(value: unknown): SidVocabulary {
    const parsed = VocabularyJson.safeParse(value);
    if (!parsed.success) {
      const { path, message } = parsed.error.issues[0];
      throw new UserError(
        `Cannot read the SID vocabulary, field ${path.join(".") || "(whole)"}: ${message}. ` +
          `Expected { specialTokens: ${JSON.stringify(SPECIAL_TOKENS)}, sidTokens: ["<a_0>", ...] }`,
      );
    }
    const { sidTokens } = parsed.data;
    for (let i = 1; i < sidTokens.length; i++) {
      if (sidTokens[i - 1] >= sidTokens[i]) {
        throw new UserError(
          `Cannot read the SID vocabulary: ${sidTokens[i]} follows ${sidTokens[i - 1]}, ` +
            `expected tokens sorted by code unit, each once. Build it from the index again`,
        );
      }
    }
    return new SidVocabulary(sidTokens);
  }

  /** Plain object for `JSON.stringify`. */
  toJSON(): SidVocabularyJson {
    return { specialTokens: [...SPECIAL_TOKENS], sidTokens: this.#strings.slice(SPECIAL_TOKENS.length) };
  }

  /**
   * Token id of one token string.
   * @throws {UserError} if the vocabulary does not have it.
   */
  idOf(token: string): number {
    const id = this.#ids.get(token);
    if (id === undefined) {
      throw new UserError(
        `Cannot encode token ${
          JSON.stringify(token)
        }: it is not among the ${this.size} tokens of this vocabulary. ` +
          `Use the index that the model was trained with`,
      );
    }
    return id;
  }

  /**
   * Token string of an id.
   * @throws {RangeError} if there is no such id.
   */
  tokenString(id: number): string {
    const token = this.#strings[id];
    if (token === undefined) {
      throw new RangeError(`Cannot decode token id ${id}: expected 0..${this.size - 1}`);
    }
    return token;
  }

  /** Whether an id stands for a SID token rather than a special one. */
  isSidToken(id: number): boolean {
    return id >= SPECIAL_TOKENS.length && id < this.size;
  }

  /** Token ids of a SID; throws as {@link idOf}. */
  encode(sid: readonly string[]): Uint32Array {
    return Uint32Array.from(sid, (token) => this.idOf(token));
  }

  /** Token ids of many SIDs, which are views of one array: half the memory of an array each. Throws as {@link idOf}. */
  encodeAll(sids: readonly (readonly string[])[]): Uint32Array[] {
    const all = new Uint32Array(sids.reduce((sum, { length }) => sum + length, 0));
    let end = 0;
    return sids.map((sid) => {
      const start = end;
      for (const token of sid) all[end++] = this.idOf(token);
      return all.subarray(start, end);
    });
  }

  /** Token strings of ids; throws as {@link tokenString}. */
  decode(ids: ArrayLike<number>): string[] {
    return Array.from(ids, (id) => this.tokenString(id));
  }
}

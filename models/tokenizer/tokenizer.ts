import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { badValue } from "../../base/file_error.ts";
import { UserError } from "../../base/user_error.ts";
import { AddedTokens, textMarker, withOrdinaryTokens } from "./added_tokens.ts";
import { type AddedToken, formatTokenizer, TokenizerJson } from "./schema.ts";
import { endlessReason } from "./pattern_cost.ts";
import { WordEncoder } from "./word_encoder.ts";

/** How to turn a text into ids. */
export interface EncodeOptions {
  /** Most ids, those that the tokenizer adds included: the text is cut, they stay. Default: no limit. */
  maxLength?: number;
  /** Whether the tokens that the tokenizer puts around a text are added. Default: true. */
  addSpecialTokens?: boolean;
}

/**
 * Text <-> token ids as a Hugging Face `tokenizer.json` says: normalisation, splitting, merges, added tokens, and the
 * special tokens that its post-processor puts around a text.
 */
export class Tokenizer {
  /** Ids that it puts before every text, such as [CLS]. */
  readonly prefix: readonly number[];
  /** Ids that it puts after every text: [SEP], or the end of text that embedding models are pooled at. */
  readonly suffix: readonly number[];
  /** Number of token ids, added tokens included: rows that an embedding needs. */
  readonly vocabulary: number;
  /** Bytes of the `tokenizer.json`. */
  readonly json: Uint8Array;
  #source: string;
  #library: HuggingFaceTokenizer;
  #words: WordEncoder | undefined;
  #added: AddedTokens;
  #tokens: readonly AddedToken[];

  /**
   * Reads the bytes of a `tokenizer.json`. `source` is the file name for messages.
   * @throws {UserError} if they are no tokenizer of a kind that is known.
   */
  constructor(json: Uint8Array, source = "tokenizer.json") {
    this.json = json;
    this.#source = source;
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(json));
      checkPatterns(value, source);
      checkVocabulary(value, source);
      // The second argument is tokenizer_config.json: nothing in it changes ids that tokenizer.json alone gives.
      this.#library = new HuggingFaceTokenizer(value as TokenizerJson, {});
      const { added_tokens, pre_tokenizer } = TokenizerJson.parse(value);
      const { normalizer } = this.#library;
      this.#tokens = added_tokens;
      this.#words = WordEncoder.of(this.#library, pre_tokenizer);
      this.#added = new AddedTokens(added_tokens, (text) => normalizer?.normalize(text) ?? text);
      this.vocabulary = this.#library.model!.vocab.length;
      [this.prefix, this.suffix] = this.#surroundings();
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(
        `Cannot read ${source}: ${
          (error as Error).message
        }. Expected the tokenizer.json of a fast tokenizer: ` +
          `AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) of Hugging Face transformers writes one`,
      );
    }
  }

  /** Id of a token as it is spelt in the vocabulary, or undefined if there is none. */
  idOf(token: string): number | undefined {
    return this.#library.token_to_id(token);
  }

  /**
   * This tokenizer with further ordinary tokens, such as those of an index: sorted by code unit, ids from
   * {@link vocabulary} on. No text is stripped of them, since they are not special. Those it has keep their ids.
   */
  withTokens(tokens: Iterable<string>): Tokenizer {
    const json = TokenizerJson.parse(JSON.parse(new TextDecoder().decode(this.json)));
    const added_tokens = withOrdinaryTokens(
      json.added_tokens,
      tokens,
      this.vocabulary,
      (token) => this.idOf(token),
    );
    return new Tokenizer(formatTokenizer({ ...json, added_tokens }), this.#source);
  }

  /** Ids of a text. */
  encode(
    text: string,
    { maxLength = Infinity, addSpecialTokens = true }: EncodeOptions = {},
  ): Uint32Array<ArrayBuffer> {
    const prefix = addSpecialTokens ? this.prefix : [], suffix = addSpecialTokens ? this.suffix : [];
    const room = maxLength - prefix.length - suffix.length;
    if (room < 0) {
      throw new RangeError(
        `encode() has a maxLength of ${maxLength}: expected at least the ` +
          `${prefix.length + suffix.length} tokens that this tokenizer puts around a text`,
      );
    }
    const ids = this.#encode(text);
    return Uint32Array.from([...prefix, ...(ids.length > room ? ids.slice(0, room) : ids), ...suffix]);
  }

  #encode(text: string): number[] {
    const ids: number[] = [];
    for (const part of this.#added.split(text)) {
      if ("id" in part) ids.push(part.id);
      else if (this.#words !== undefined) this.#words.append(part.text, ids);
      else ids.push(...this.#encodeWhole(part.text, part.first));
    }
    return ids;
  }

  /** Ids of a normalised text without added tokens; `first` where it begins the text. */
  #encodeWhole(text: string, first: boolean): number[] {
    const { pre_tokenizer, model } = this.#library;
    const words = pre_tokenizer === null ? [text] : pre_tokenizer(text, { section_index: first ? 0 : 1 });
    const { tokens_to_ids, unk_token_id } = model!;
    // A tokenizer without a token for the unknown leaves it out.
    return model!(words).map((token) => tokens_to_ids.get(token) ?? unk_token_id).filter((id) =>
      id !== undefined
    );
  }

  /**
   * Marks what a user's text has of special tokens, and of `others`: encoding takes a marked text for text, and decoding
   * gives it back without marks. The same text comes back where it has none.
   */
  textMarker(others?: Iterable<string>): (text: string) => string {
    return textMarker(this.#tokens, others);
  }

  /** Text of ids; special tokens are left out unless `keepSpecial`. */
  decode(ids: ArrayLike<number>, keepSpecial = false): string {
    if (ids.length === 0) return ""; // the library refuses it
    return this.#library.decode(Array.from(ids), {
      skip_special_tokens: !keepSpecial,
      clean_up_tokenization_spaces: false,
    });
  }

  /** What the post-processor puts before and after: the same for every text, so one text shows it. */
  #surroundings(): [number[], number[]] {
    const { ids: inner } = this.#library.encode("a", { add_special_tokens: false });
    const { ids: whole } = this.#library.encode("a", { add_special_tokens: true });
    const start = whole.findIndex((_, at) => inner.every((id, i) => whole[at + i] === id));
    return [whole.slice(0, start), whole.slice(start + inner.length)];
  }
}

/** Throws for a regular expression anywhere in a `tokenizer.json` that could be matched without end. */
function checkPatterns(value: unknown, source: string): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "vocab" || key === "merges") continue;
    const reason = key === "Regex" && typeof inner === "string" ? endlessReason(inner) : undefined;
    if (reason === undefined) checkPatterns(inner, source);
    else {
      throw new UserError(
        `Cannot read ${source}: matching its pattern ${inner} could go on without end, since ${reason}. Use the ` +
          "tokenizer.json of a checkpoint that you trust",
      );
    }
  }
}

/** Throws for a token of a model's vocabulary whose id is none, or that of another. */
function checkVocabulary(value: unknown, source: string): void {
  const vocab = (value as { model?: { vocab?: unknown } } | null)?.model?.vocab;
  if (typeof vocab !== "object" || vocab === null || Array.isArray(vocab)) return;
  const owners = new Map<unknown, string>();
  for (const [token, id] of Object.entries(vocab)) {
    const owner = owners.get(id);
    if (Number.isSafeInteger(id) && id >= 0 && owner === undefined) owners.set(id, token);
    else {
      throw badValue(
        { path: `${source} at ["model"]["vocab"][${JSON.stringify(token)}]` },
        owner === undefined ? "a whole number from 0" : `an id that is not that of ${JSON.stringify(owner)}`,
        id,
        "Fetch the file again",
      );
    }
  }
}

import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { UserError } from "../data/user_error.ts";

/** How to turn a text into ids. */
export interface EncodeOptions {
  /** Most ids, those that the tokenizer adds included: the text is cut, they stay. Default: no limit. */
  maxLength?: number;
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
  #tokenizer: HuggingFaceTokenizer;

  /**
   * Reads the bytes of a `tokenizer.json`. `source` is the file name for messages.
   * @throws {UserError} if they are no tokenizer of a kind that is known.
   */
  constructor(json: Uint8Array, source = "tokenizer.json") {
    try {
      // The second argument is tokenizer_config.json: nothing in it changes ids that tokenizer.json alone gives.
      this.#tokenizer = new HuggingFaceTokenizer(JSON.parse(new TextDecoder().decode(json)), {});
      [this.prefix, this.suffix] = this.#surroundings();
    } catch (error) {
      throw new UserError(
        `Cannot read ${source}: ${
          (error as Error).message
        }. Expected the tokenizer.json of a fast tokenizer: ` +
          `AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) of Hugging Face transformers writes one`,
      );
    }
  }

  /** Number of token ids, added tokens included. */
  get vocabulary(): number {
    return this.#tokenizer.get_vocab(true).size;
  }

  /** Id of a token as it is spelt in the vocabulary, or undefined if there is none. */
  idOf(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token);
  }

  /** Ids of a text, special tokens around it. */
  encode(text: string, { maxLength = Infinity }: EncodeOptions = {}): Uint32Array<ArrayBuffer> {
    const room = maxLength - this.prefix.length - this.suffix.length;
    if (room < 0) {
      throw new RangeError(
        `encode() has a maxLength of ${maxLength}: expected at least the ` +
          `${this.prefix.length + this.suffix.length} tokens that this tokenizer puts around a text`,
      );
    }
    const { ids } = this.#tokenizer.encode(text, { add_special_tokens: false });
    return Uint32Array.from([...this.prefix, ...ids.slice(0, room), ...this.suffix]);
  }

  /** Text of ids; special tokens are left out unless `keepSpecial`. */
  decode(ids: ArrayLike<number>, keepSpecial = false): string {
    if (ids.length === 0) return ""; // the library refuses it
    return this.#tokenizer.decode(Array.from(ids), {
      skip_special_tokens: !keepSpecial,
      clean_up_tokenization_spaces: false,
    });
  }

  /** What the post-processor puts before and after: the same for every text, so one text shows it. */
  #surroundings(): [number[], number[]] {
    const { ids: inner } = this.#tokenizer.encode("a", { add_special_tokens: false });
    const { ids: whole } = this.#tokenizer.encode("a", { add_special_tokens: true });
    const start = whole.findIndex((_, at) => inner.every((id, i) => whole[at + i] === id));
    return [whole.slice(0, start), whole.slice(start + inner.length)];
  }
}

import {
  ByteLevelPreTokenizer,
  SplitPreTokenizer,
  type Tokenizer as HuggingFaceTokenizer,
} from "@huggingface/tokenizers";
import { z } from "zod";

const Split = z.looseObject({ type: z.literal("Split") });
const ByteLevel = z.looseObject({
  type: z.literal("ByteLevel"),
  add_prefix_space: z.literal(false),
  use_regex: z.literal(false),
});

/** The pre-tokenizer of GPT-4's kind that Qwen and Llama 3 have: patterns, then bytes as characters. */
const SplitThenBytes = z.looseObject({
  type: z.literal("Sequence"),
  pretokenizers: z.tuple([ByteLevel]).or(z.tuple([Split, ByteLevel])).or(z.tuple([Split, Split, ByteLevel])),
});

// A catalogue has some ten thousand words; beyond this many, the text is something else and the cache starts again.
const MOST_WORDS = 200_000;

/** Encodes text between added tokens word by word, each different word once: a corpus repeats its words. */
export class WordEncoder {
  #library: HuggingFaceTokenizer;
  #splits: SplitPreTokenizer[];
  #bytes: ByteLevelPreTokenizer;
  #words = new Map<string, number[]>();

  private constructor(
    library: HuggingFaceTokenizer,
    splits: SplitPreTokenizer[],
    bytes: ByteLevelPreTokenizer,
  ) {
    this.#library = library;
    this.#splits = splits;
    this.#bytes = bytes;
  }

  /** Undefined for a pre-tokenizer that may look beyond a word, for which the library encodes whole texts. */
  static of(library: HuggingFaceTokenizer, preTokenizer: unknown): WordEncoder | undefined {
    const parsed = SplitThenBytes.safeParse(preTokenizer);
    if (!parsed.success) return undefined;
    const stages: unknown[] = parsed.data.pretokenizers;
    const splits = stages.slice(0, -1).map((config) =>
      new SplitPreTokenizer(config as ConstructorParameters<typeof SplitPreTokenizer>[0])
    );
    const bytes = stages.at(-1) as ConstructorParameters<typeof ByteLevelPreTokenizer>[0];
    return new WordEncoder(library, splits, new ByteLevelPreTokenizer(bytes));
  }

  /** Appends the ids of a normalised text without added tokens. */
  append(text: string, ids: number[]): void {
    let words = [text];
    for (const split of this.#splits) words = words.flatMap((word) => split.pre_tokenize_text(word));
    for (const word of words) {
      let known = this.#words.get(word);
      if (known === undefined) {
        if (this.#words.size === MOST_WORDS) this.#words.clear();
        const { tokens_to_ids, unk_token_id } = this.#library.model!;
        known = this.#library.model!.encode(this.#bytes.pre_tokenize_text(word)).map((token) =>
          tokens_to_ids.get(token) ?? unk_token_id
        ).filter((id) => id !== undefined);
        this.#words.set(word, known);
      }
      for (const id of known) ids.push(id);
    }
  }
}

import { UserError } from "../../base/user_error.ts";

/** How words are cut before merging, by its name in GGUF files (llama.cpp, `tokenizer.ggml.pre`). */
const SPLITS: Record<string, string> = {
  qwen2:
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "llama-bpe":
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
};
const byteLevel = (use_regex: boolean) => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: false,
  use_regex,
});
const PRE_TOKENIZERS: Record<string, unknown> = {
  "gpt-2": byteLevel(true),
  smollm: {
    type: "Sequence",
    pretokenizers: [{ type: "Digits", individual_digits: true }, byteLevel(true)],
  },
  ...Object.fromEntries(
    Object.entries(SPLITS).map(([name, Regex]) => [name, {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
        byteLevel(false),
      ],
    }]),
  ),
};

/** Kinds of tokens in GGUF files (llama.h, `enum llama_token_type`). */
const CONTROL = 3, USER_DEFINED = 4, NORMAL = 1;

/** A vocabulary as GGUF files keep it. */
export interface GgufVocabulary {
  /** Name of the pre-tokenizer: `tokenizer.ggml.pre`. */
  pre: string;
  /** Texts by id, bytes as the letters of GPT-2. */
  tokens: string[];
  /** Kinds by id. */
  types: number[];
  /** Pairs in order of rank: "a b". */
  merges: string[];
  /** Whether a text starts with the beginning of text. */
  bos: number | undefined;
}

/** The `tokenizer.json` of a vocabulary. Throws `UserError` for a pre-tokenizer that is not known. */
export function tokenizerJson({ pre, tokens, types, merges, bos }: GgufVocabulary, source: string): object {
  const pre_tokenizer = PRE_TOKENIZERS[pre];
  if (pre_tokenizer === undefined) {
    throw new UserError(
      `Cannot use the tokenizer of ${source}: tokenizer.ggml.pre is ${pre}, expected one of ${
        Object.keys(PRE_TOKENIZERS).join(", ")
      }. Use the Hugging Face directory of the model`,
    );
  }
  const added = tokens.flatMap((content, id) =>
    types[id] === CONTROL || types[id] === USER_DEFINED
      ? [{
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: types[id] === CONTROL,
      }]
      : []
  );
  const first = bos === undefined ? [] : [{ SpecialToken: { id: tokens[bos], type_id: 0 } }];
  const sequence = (id: string, type_id: number) => ({ Sequence: { id, type_id } });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: pre === "qwen2" ? { type: "NFC" } : null,
    pre_tokenizer,
    post_processor: {
      type: "TemplateProcessing",
      single: [...first, sequence("A", 0)],
      pair: [...first, sequence("A", 0), sequence("B", 1)],
      special_tokens: bos === undefined
        ? {}
        : { [tokens[bos]]: { id: tokens[bos], ids: [bos], tokens: [tokens[bos]] } },
    },
    decoder: byteLevel(true),
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

/** What of a `tokenizer.json` is asked by {@link ggufVocabulary}. */
export interface BytePairTokenizer {
  added_tokens: { id: number; content: string; special: boolean }[];
  pre_tokenizer?: unknown;
  model: { type?: string; vocab: Record<string, number>; merges: (string | [string, string])[] };
}

/**
 * The vocabulary of a `tokenizer.json` with `rows` rows in the embedding; rows without a token are named as llama.cpp's
 * converter names them.
 * @throws {UserError} for another kind of tokenizer than byte pairs of bytes, or a cut of words that llama.cpp has no name for.
 */
export function ggufVocabulary(
  json: BytePairTokenizer,
  rows: number,
  source: string,
): Omit<GgufVocabulary, "bos"> {
  const fail = (problem: string): never => {
    throw new UserError(`Cannot write the tokenizer of ${source} as GGUF: ${problem}`);
  };
  if (json.model.type !== "BPE") fail(`it is of type ${json.model.type}, expected byte pairs (BPE)`);
  const pre = nameOf(json.pre_tokenizer) ??
    fail(
      `llama.cpp has no name for how it cuts words that is known here, expected that of ${
        Object.keys(PRE_TOKENIZERS).join(", ")
      }`,
    );
  const tokens: string[] = new Array(rows);
  const types: number[] = new Array(rows).fill(NORMAL);
  const place = (token: string, id: number, type: number) => {
    if (id >= rows) fail(`token ${token} is number ${id}, but the embedding has ${rows} rows`);
    tokens[id] = token;
    types[id] = type;
  };
  for (const [token, id] of Object.entries(json.model.vocab)) place(token, id, NORMAL);
  for (const { id, content, special } of json.added_tokens) {
    place(content, id, special ? CONTROL : USER_DEFINED);
  }
  for (let id = 0; id < rows; id++) {
    if (tokens[id] === undefined) place(`[PAD${id}]`, id, 5);
  }
  const merges = json.model.merges.map((merge) => typeof merge === "string" ? merge : merge.join(" "));
  return { pre, tokens, types, merges };
}

/** Name of a pre-tokenizer, whatever it says of offsets, which tokens do not depend on. */
function nameOf(pre_tokenizer: unknown): string | undefined {
  const plain = (value: unknown) =>
    JSON.stringify(value, (key, part) => key === "trim_offsets" || key === "invert" ? undefined : part);
  const found = plain(pre_tokenizer);
  return Object.keys(PRE_TOKENIZERS).find((name) => plain(PRE_TOKENIZERS[name]) === found);
}

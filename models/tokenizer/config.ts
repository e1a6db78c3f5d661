import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { UserError } from "../../base/user_error.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { TokenizerJson } from "./schema.ts";

const Token = z.union([
  z.string(),
  z.looseObject({ content: z.string() }).transform(({ content }) => content),
]).nullish();

/** What is read of a `tokenizer_config.json`; further fields are kept. Tokens as texts. */
export interface TokenizerConfig {
  /** Starts a text. */
  bos_token?: string | null;
  /** Ends a text. */
  eos_token?: string | null;
  /** Fills unused positions. */
  pad_token?: string | null;
  /** Whether `bos_token` stands before every text. */
  add_bos_token?: boolean | null;
  /** One template, or several by name. */
  chat_template?: string | { name: string; template: string }[] | null;
  /** What else stands there. */
  [field: string]: unknown;
}

const TokenizerConfigJson: z.ZodType<TokenizerConfig> = z.looseObject({
  bos_token: Token,
  eos_token: Token,
  pad_token: Token,
  add_bos_token: z.boolean().nullish(),
  chat_template: z.union([
    z.string(),
    z.array(z.looseObject({ name: z.string(), template: z.string() })),
  ]).nullish(),
});

/** Reads the text of a `tokenizer_config.json`. Throws `UserError` naming the field that does not fit. */
export function parseTokenizerConfig(text: string, source = "tokenizer_config.json"): TokenizerConfig {
  return parseJson(text, source, TokenizerConfigJson);
}

/** The chat template of a checkpoint, where its `tokenizer_config.json` has one; of several the one called "default". */
export function chatTemplateOf({ chat_template }: TokenizerConfig): string | undefined {
  if (!Array.isArray(chat_template)) return chat_template ?? undefined;
  return (chat_template.find(({ name }) => name === "default") ?? chat_template[0])?.template;
}

/** Ids in the roles that training and generation know. */
export interface SpecialTokens {
  /** Put before every prompt; absent where the tokenizer puts nothing there, as Qwen's. */
  bos?: number;
  /** Ends every answer. */
  eos: number;
  /** Fills rows of a batch; the end of text where there is no such token. */
  pad: number;
}

/** Ids that a `config.json` gives to roles. */
export interface ModelTokens {
  /** One or several; the first counts. */
  eos_token_id?: number | number[] | null;
  pad_token_id?: number | null;
}

/**
 * The tokens in special roles. End of text: `eos_token` of `tokenizer_config.json`, else `eos_token_id` of
 * `config.json`. BOS: what the tokenizer itself puts before a text, or `bos_token` where `add_bos_token` is true.
 * Padding: `pad_token`, else `pad_token_id`, else the end of text.
 * @throws {UserError} if no end of text is named, or a named token is not in the tokenizer.
 */
export function specialTokens(
  tokenizer: Tokenizer,
  config: TokenizerConfig = {},
  model: ModelTokens = {},
): SpecialTokens {
  const named = (role: "bos_token" | "eos_token" | "pad_token") => {
    const token = config[role];
    if (!token) return undefined;
    const id = tokenizer.idOf(token);
    if (id !== undefined) return id;
    throw new UserError(
      `Cannot use this tokenizer: tokenizer_config.json calls ${token} its ${role}, but tokenizer.json has no such ` +
        `token among its ${tokenizer.vocabulary}. Use files of one checkpoint`,
    );
  };
  const inModel = (id: number | undefined | null) =>
    typeof id === "number" && id >= 0 && id < tokenizer.vocabulary ? id : undefined;
  const eos = named("eos_token") ?? inModel([model.eos_token_id].flat()[0]);
  if (eos === undefined) {
    throw new UserError(
      "Cannot use this tokenizer: no end of text, which every answer needs. Expected eos_token in " +
        'tokenizer_config.json, such as "<|endoftext|>", or eos_token_id in config.json. Add one',
    );
  }
  const bos = tokenizer.prefix[0] ?? (config.add_bos_token ? named("bos_token") : undefined);
  const pad = named("pad_token") ?? inModel(model.pad_token_id) ?? eos;
  return { ...(bos !== undefined && { bos }), eos, pad };
}

/**
 * The text of a `tokenizer_config.json` for a tokenizer with tokens added: transformers builds the tokenizers of some
 * families anew from vocabulary and merges, and takes added tokens from here alone.
 */
export function formatTokenizerConfig(tokenizer: Tokenizer, config: TokenizerConfig = {}): string {
  const { added_tokens } = TokenizerJson.parse(JSON.parse(new TextDecoder().decode(tokenizer.json)));
  const added_tokens_decoder = Object.fromEntries(added_tokens.map(({ id, ...token }) => [id, token]));
  const tokenizer_class = config.tokenizer_class ?? "PreTrainedTokenizerFast";
  return JSON.stringify({ ...config, tokenizer_class, added_tokens_decoder }, null, 2) + "\n";
}

// How many missing tokens a message names.
const NAMED = 3;

/**
 * Ids of the tokens of every item's SID, index = item number.
 * @throws {UserError} if the tokenizer lacks some of them, naming the first.
 */
export function sidTokenIds(tokenizer: Tokenizer, sids: readonly (readonly string[])[]): Uint32Array[] {
  const missing = new Set(sids.flatMap((sid) => sid.filter((token) => tokenizer.idOf(token) === undefined)));
  if (missing.size > 0) {
    const names = [...missing].sort().slice(0, NAMED).join(", ") + (missing.size > NAMED ? ", …" : "");
    throw new UserError(
      `Cannot use this index with this checkpoint: its tokenizer lacks ${missing.size} of the index's tokens ` +
        `(${names}). Use the index that the checkpoint was trained with, or train it on this one first`,
    );
  }
  return sids.map((sid) => Uint32Array.from(sid, (token) => tokenizer.idOf(token)!));
}

import { z } from "zod";
import type { AddedToken, TokenizerJson } from "./schema.ts";

/** Names that transformers gives to special tokens, in the order in which it adds those that are not there. */
const ROLES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
const MORE = ["additional_special_tokens", "extra_special_tokens"];

type NewToken = Pick<AddedToken, "content" | "single_word" | "lstrip" | "rstrip" | "normalized" | "special">;

/** What the files beside a `tokenizer.json` say of its tokens, each as it stands there. */
export interface TokenFiles {
  /** `tokenizer_config.json`. */
  config: Readonly<Record<string, unknown>>;
  /** `special_tokens_map.json`: where older versions of transformers named special tokens. */
  specialTokensMap?: Readonly<Record<string, unknown>>;
  /** `added_tokens.json`: ids by token. */
  addedTokens?: Readonly<Record<string, number>>;
}

/** What a tokenizer is after all of its files were read. */
export interface ConfiguredTokens {
  /** Its added tokens. */
  added: AddedToken[];
  /** Texts of the tokens in special roles, by role. */
  roles: Record<string, string>;
}

const TokenObject = z.looseObject({ content: z.string() });
const Decoder = z.record(z.string(), TokenObject);

/**
 * Added tokens and roles as transformers 5 makes them of a directory: it reads `tokenizer.json`, gives its added tokens ids
 * of their own, and adds on top what the other files name. `special_tokens_map.json` and `added_tokens.json` count where
 * `tokenizer_config.json` has no `added_tokens_decoder`.
 */
export function configuredTokens(
  json: TokenizerJson,
  { config, specialTokensMap, addedTokens }: TokenFiles,
): ConfiguredTokens {
  const vocabulary = new AddedVocabulary(json);
  const listed = Decoder.safeParse(config.added_tokens_decoder);
  const named: Record<string, unknown> = { ...config, ...(listed.success ? {} : specialTokensMap) };
  const roles = Object.entries(named).filter(([name, token]) => isRole(name) && asToken(token) !== undefined)
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([role, token]) => ({ role, token: asToken(token)! }));
  const more = MORE.flatMap((name) => named[name] ?? []).map(asToken).filter((token) => token !== undefined);
  const special = new Set([
    ...roles.map(({ token }) => token.content),
    ...more.map(({ content }) => content),
  ]);

  const known = new Map<number, NewToken>();
  if (listed.success) {
    for (const [id, token] of Object.entries(listed.data)) known.set(Number(id), newToken(token));
  } else {
    for (const [content, id] of Object.entries(addedTokens ?? {})) {
      const isSpecial = special.has(content);
      known.set(id, newToken({ content, normalized: !isSpecial, special: isSpecial }));
    }
    for (const { id, ...token } of json.added_tokens) known.set(id, token);
  }
  for (const [, token] of [...known].sort(([a], [b]) => a - b)) {
    vocabulary.add({
      ...token,
      special: token.special || roles.some((at) => at.token.content === token.content),
    });
  }
  // A text that two roles name has the flags of the last.
  const present = new Set(vocabulary.tokens.map(({ content }) => content));
  for (const token of [...roles.map(({ token }) => token), ...more]) {
    if (!present.has(token.content)) vocabulary.add({ ...token, special: true });
  }
  return {
    added: vocabulary.tokens,
    roles: Object.fromEntries(roles.map(({ role, token }) => [role, token.content])),
  };
}

const isRole = (name: string): boolean => name.endsWith("_token") && !/^(add|use)_/.test(name);
const rank = (role: string): number => ROLES.includes(role) ? ROLES.indexOf(role) : ROLES.length;

/** A token as the files write it, a text or an object; undefined for anything else. */
function asToken(value: unknown): NewToken | undefined {
  if (typeof value === "string") {
    return value === "" ? undefined : newToken({ content: value, special: true });
  }
  const parsed = TokenObject.safeParse(value);
  return parsed.success ? newToken({ ...parsed.data, special: true }) : undefined;
}

function newToken(fields: { content: string; [field: string]: unknown }): NewToken {
  const { content, single_word, lstrip, rstrip, special, normalized } = fields;
  const flags = { single_word, lstrip, rstrip, special };
  const set = Object.fromEntries(Object.entries(flags).map(([flag, value]) => [flag, value === true]));
  return {
    content,
    ...set,
    normalized: typeof normalized === "boolean" ? normalized : !set.special,
  } as NewToken;
}

/** The added tokens of Hugging Face's tokenizers: a token that the model knows keeps its id, others come after all. */
class AddedVocabulary {
  #model: ReadonlyMap<string, number>;
  #tokens = new Map<string, AddedToken>();
  #next: number;

  constructor({ model, added_tokens }: TokenizerJson) {
    this.#model = modelVocabulary(model.vocab);
    this.#next = this.#model.size;
    for (const token of added_tokens) this.add(token);
  }

  /** Adds a token, or gives one that is there these flags. */
  add(token: NewToken): void {
    if (token.content === "") return;
    const id = this.#tokens.get(token.content)?.id ?? this.#model.get(token.content) ?? this.#next;
    this.#next = Math.max(this.#next, id + 1);
    this.#tokens.set(token.content, { ...token, id });
  }

  /** By id. */
  get tokens(): AddedToken[] {
    return [...this.#tokens.values()].sort((a, b) => a.id - b.id);
  }
}

/** Ids of a model's own tokens: an object, or a list of `[token, score]` for Unigram. */
function modelVocabulary(vocab: unknown): Map<string, number> {
  if (Array.isArray(vocab)) return new Map(vocab.map((entry, id) => [String(entry?.[0]), id]));
  return new Map(Object.entries((vocab ?? {}) as Record<string, number>));
}

import { z } from "zod";
import { UserError } from "../../base/user_error.ts";
import { Tokenizer } from "./tokenizer.ts";
import { formatTokenizer, TokenizerJson } from "./schema.ts";

const Merge = z.union([z.string(), z.tuple([z.string(), z.string()])]);
const BytePairs = z.looseObject({
  type: z.literal("BPE"),
  vocab: z.record(z.string(), z.int().min(0)),
  merges: z.array(Merge),
  unk_token: z.string().nullish(),
  byte_fallback: z.boolean().nullish(),
  continuing_subword_prefix: z.literal("").nullish(),
  end_of_word_suffix: z.literal("").nullish(),
});

/** A smaller tokenizer. */
export interface TrimmedTokenizer {
  /** It. */
  tokenizer: Tokenizer;
  /** Id in the whole tokenizer of each of its ids: rows of a pretrained embedding that stay. */
  kept: Uint32Array;
}

/**
 * The part of a byte-pair tokenizer that the given texts need: their tokens with all that merges into them, the tokens
 * of single bytes, and every added token. These texts encode to the same tokens as before; any other text encodes still,
 * to shorter ones. A vocabulary of 152k tokens, of which a catalogue uses some thousands, is most of a small model.
 * Tokens that occur less than `minCount` times are left out too: what they stood for becomes shorter tokens.
 * @throws {UserError} for a tokenizer of another kind, or one that does not know all bytes.
 */
export function trimTokenizer(whole: Tokenizer, texts: Iterable<string>, minCount = 1): TrimmedTokenizer {
  const json = TokenizerJson.parse(JSON.parse(new TextDecoder().decode(whole.json)));
  const parsed = BytePairs.safeParse(json.model);
  const isByteLevel = JSON.stringify(json.pre_tokenizer ?? {}).includes('"ByteLevel"');
  if (!parsed.success || !(isByteLevel || parsed.data.byte_fallback)) {
    throw new UserError(
      `Cannot trim this tokenizer: it is of type ${
        json.model.type ?? "unknown"
      }, expected byte pairs (BPE) with a ` +
        "token for every byte, as Qwen and Llama have. Use it whole",
    );
  }
  const model = parsed.data;
  const spelling = new Map(Object.entries(model.vocab).map(([token, id]) => [id, token]));

  const kept = new Set<string>();
  const added = json.added_tokens.map(({ content }) => content);
  for (const token of [...added, model.unk_token]) {
    if (token && model.vocab[token] !== undefined) kept.add(token);
  }
  for (const token of Object.keys(model.vocab)) {
    if (isByteLevel ? [...token].length === 1 : /^<0x[0-9A-F]{2}>$/.test(token)) kept.add(token);
  }
  const counts = new Uint32Array(whole.vocabulary);
  for (const text of texts) for (const id of whole.encode(text, { addSpecialTokens: false })) counts[id]++;
  const merges = new MergeTable(model.merges);
  for (const [id, count] of counts.entries()) {
    const token = spelling.get(id);
    if (count === 0 || count < minCount || token === undefined) continue; // no spelling: an added token
    kept.add(token);
    merges.derive(token, kept);
  }

  const order = [...kept].sort((a, b) => model.vocab[a] - model.vocab[b]);
  const outside = json.added_tokens.filter(({ content }) => !kept.has(content)).sort((a, b) => a.id - b.id);
  const tokens = [...order, ...outside.map(({ content }) => content)];
  const newIds = new Map(tokens.map((token, id) => [token, id]));
  const added_tokens = json.added_tokens.map((token) => ({ ...token, id: newIds.get(token.content)! }));
  const trimmed = {
    ...json,
    added_tokens: added_tokens.sort((a, b) => a.id - b.id),
    post_processor: renumbered(json.post_processor, newIds),
    padding: null, // batches are packed
    model: {
      ...json.model,
      vocab: Object.fromEntries(order.map((token, id) => [token, id])),
      merges: merges.used(),
    },
  };
  return {
    tokenizer: new Tokenizer(formatTokenizer(trimmed), "the trimmed tokenizer"),
    kept: Uint32Array.from(tokens, (token) => model.vocab[token] ?? whole.idOf(token)!),
  };
}

/** Merges by rank, and which of them were used. */
class MergeTable {
  #merges: readonly z.infer<typeof Merge>[];
  #ranks = new Map<string, number>();
  #used = new Set<number>();

  constructor(merges: readonly z.infer<typeof Merge>[]) {
    this.#merges = merges;
    for (const [rank, merge] of merges.entries()) {
      const [left, right] = typeof merge === "string" ? merge.split(" ", 2) : merge;
      this.#ranks.set(`${left}\0${right}`, rank);
    }
  }

  /**
   * Adds all that merges on the way from single characters to `token`. A word is merged lowest rank first, leftmost
   * first, so inside a token nothing depends on its neighbours: these are the steps of every word with that token.
   */
  derive(token: string, kept: Set<string>): void {
    const parts = [...token];
    for (const part of parts) kept.add(part);
    while (parts.length > 1) {
      let best = Infinity, at = -1;
      for (let i = 0; i + 1 < parts.length; i++) {
        const rank = this.#ranks.get(`${parts[i]}\0${parts[i + 1]}`) ?? Infinity;
        if (rank < best) [best, at] = [rank, i];
      }
      if (at < 0) return; // a whole word that its tokenizer looks up without merging
      parts.splice(at, 2, parts[at] + parts[at + 1]);
      kept.add(parts[at]);
      this.#used.add(best);
    }
  }

  /** The merges that were used, in order of rank. */
  used() {
    return this.#merges.filter((_, rank) => this.#used.has(rank));
  }
}

/** A post-processor with the ids of the tokens that it adds changed. */
function renumbered(value: unknown, ids: ReadonlyMap<string, number>): unknown {
  if (Array.isArray(value)) {
    // BertProcessing and RobertaProcessing: ["[SEP]", 102].
    if (value.length === 2 && typeof value[0] === "string" && typeof value[1] === "number") {
      return [value[0], ids.get(value[0]) ?? value[1]];
    }
    return value.map((entry) => renumbered(entry, ids));
  }
  if (typeof value !== "object" || value === null) return value;
  // TemplateProcessing: { id: "</s>", ids: [2], tokens: ["</s>"] }.
  const record = value as Record<string, unknown>;
  if (Array.isArray(record.ids) && Array.isArray(record.tokens)) {
    return { ...record, ids: record.tokens.map((token, i) => ids.get(token) ?? (record.ids as number[])[i]) };
  }
  return Object.fromEntries(Object.entries(record).map(([key, entry]) => [key, renumbered(entry, ids)]));
}

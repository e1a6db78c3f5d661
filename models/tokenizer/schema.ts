import { z } from "zod";

/** A token outside the model's vocabulary, found in a text before anything else is. */
export const AddedToken = z.looseObject({
  id: z.int().min(0),
  content: z.string().min(1),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().default(false),
  special: z.boolean().default(false),
});
export type AddedToken = z.infer<typeof AddedToken>;

/** As much of a `tokenizer.json` as is read or changed here. Source: Hugging Face tokenizers. */
export const TokenizerJson = z.looseObject({
  added_tokens: z.array(AddedToken),
  normalizer: z.unknown(),
  pre_tokenizer: z.unknown(),
  post_processor: z.unknown(),
  decoder: z.unknown(),
  model: z.looseObject({}),
});
export type TokenizerJson = z.infer<typeof TokenizerJson>;

/** The text of a `tokenizer.json` as bytes. */
export function formatTokenizer(json: TokenizerJson): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(json));
}

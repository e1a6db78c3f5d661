import { UserError } from "../../base/user_error.ts";
import type { Tokenizer } from "../../models/tokenizer/tokenizer.ts";
import type { SentenceSettings } from "./sentence_model.ts";

/** What a model says about the ids that it reads. */
export interface IdConfig {
  /** Directory that it came from, for messages. */
  folder: string;
  /** Ids that it knows: 0 to `vocabulary - 1`. */
  vocabulary: number;
  /** Ids that end a text, best first. */
  ends: readonly number[];
}

/**
 * Text -> ids as the model was trained to read them, `prefix` before and the end of text last where that is what is
 * pooled.
 * @throws {UserError} if the length leaves no room for text; the function made, for a text without tokens and for ids
 * that the model does not know.
 */
export function textEncoder(
  tokenizer: Tokenizer,
  { folder, vocabulary, ends }: IdConfig,
  { pooling, maxLength }: SentenceSettings,
  prefix: string,
): (text: string) => Uint32Array {
  const appended = pooling === "last" && tokenizer.suffix.length === 0 ? ends.slice(0, 1) : [];
  const room = maxLength - appended.length;
  const around = tokenizer.prefix.length + tokenizer.suffix.length;
  if (room <= around) {
    throw new UserError(
      `Cannot cut texts to ${maxLength} tokens: ${around + appended.length} of them are special. ` +
        `Use a larger --max-length`,
    );
  }
  return (text) => {
    const ids = Uint32Array.of(...tokenizer.encode(prefix + text, { maxLength: room }), ...appended);
    if (ids.length === 0) {
      throw new UserError(
        `Cannot embed the text ${
          JSON.stringify(text)
        }: it has no tokens. Give the item a title, or use --prefix`,
      );
    }
    const unknown = ids.find((id) => id >= vocabulary);
    if (unknown !== undefined) {
      throw new UserError(
        `Cannot embed with ${folder}: its tokenizer gives id ${unknown}, its model has ${vocabulary} tokens. ` +
          `Use the tokenizer.json that belongs to the model`,
      );
    }
    return ids;
  };
}

import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import type { ReadFiles } from "../../base/files/disk.ts";
import { UserError } from "../../base/user_error.ts";
import { configuredTokens } from "./added_vocabulary.ts";
import { parseTokenizerConfig, type TokenizerConfig } from "./config.ts";
import { formatTokenizer, TokenizerJson } from "./schema.ts";
import { Tokenizer } from "./tokenizer.ts";

const AnyObject = z.record(z.string(), z.unknown());
const AddedTokensFile = z.record(z.string(), z.int().min(0));

/** A tokenizer and what its directory says of it. */
export interface ConfiguredTokenizer {
  tokenizer: Tokenizer;
  /** `tokenizer_config.json` with the tokens in special roles, wherever they stand, and the chat template. */
  tokenizerConfig: TokenizerConfig;
}

/**
 * Reads `tokenizer.json` and, where they are there, `tokenizer_config.json`, `special_tokens_map.json`,
 * `added_tokens.json` and `chat_template.jinja` of a folder, or of that of the tokenizer.json named: the tokenizer that
 * transformers makes of them.
 * @throws {UserError} for files that are missing or damaged.
 */
export async function readTokenizer(
  path: string,
  files: Pick<ReadFiles, "readFile" | "listFiles">,
): Promise<ConfiguredTokenizer> {
  const folder = path.replace(/\/?tokenizer\.json$/, "") || ".";
  const names = await files.listFiles(folder);
  if (!names.includes("tokenizer.json")) {
    throw new UserError(
      `Cannot use the tokenizer of ${folder}: it has no tokenizer.json. Expected that of a fast tokenizer: ` +
        `AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) of Hugging Face transformers writes one`,
    );
  }
  const text = async (name: string) =>
    names.includes(name) ? new TextDecoder().decode(await files.readFile(`${folder}/${name}`)) : undefined;
  const json = async <T>(name: string, schema: z.ZodType<T>) => {
    const found = await text(name);
    return found === undefined ? undefined : parseJson(found, `${folder}/${name}`, schema);
  };
  const source = `${folder}/tokenizer.json`;
  const tokenizer = new Tokenizer(await files.readFile(source), source);
  const config = await text("tokenizer_config.json") ?? "{}";
  const value = TokenizerJson.parse(JSON.parse(new TextDecoder().decode(tokenizer.json)));
  const { added, roles } = configuredTokens(value, {
    config: parseJson(config, `${folder}/tokenizer_config.json`, AnyObject),
    specialTokensMap: await json("special_tokens_map.json", AnyObject),
    addedTokens: await json("added_tokens.json", AddedTokensFile),
  });
  // Newer checkpoints keep the template in a file of its own, which counts where both are there.
  const chat_template = await text("chat_template.jinja");
  return {
    // A tokenizer of which the other files say nothing new keeps its bytes.
    tokenizer: sameTokens(value.added_tokens, added)
      ? tokenizer
      : new Tokenizer(formatTokenizer({ ...value, added_tokens: added }), source),
    tokenizerConfig: {
      ...parseTokenizerConfig(config, `${folder}/tokenizer_config.json`),
      ...roles,
      ...(chat_template === undefined ? {} : { chat_template }),
    },
  };
}

/**
 * Throws {@link UserError} where the embedding of a model has fewer rows than its tokenizer has tokens; `doing` says what
 * cannot be done with which model.
 */
export function expectRows(doing: string, { vocabulary }: Tokenizer, rows: number): void {
  if (vocabulary <= rows) return;
  throw new UserError(
    `Cannot ${doing}: its tokenizer has ${vocabulary} tokens, but its embedding ${rows} rows. Expected files of one ` +
      "checkpoint",
  );
}

function sameTokens(before: TokenizerJson["added_tokens"], after: TokenizerJson["added_tokens"]): boolean {
  const key = ({ id, content, single_word, lstrip, rstrip, normalized, special }: typeof before[number]) =>
    JSON.stringify([id, content, single_word, lstrip, rstrip, normalized, special]);
  const known = new Set(before.map(key));
  return before.length === after.length && after.every((token) => known.has(key(token)));
}

import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import type { ReadFiles } from "../../base/files/disk.ts";
import { count } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";

/** How the vectors of a text's tokens become the vector of the text. */
export type Pooling = "mean" | "last" | "cls";

/** Settings that all providers with a language model share. */
export const sentenceFields = {
  model: z.string().default("").describe(
    "Hugging Face directory of the model; for decoder a run that reads text or a .gguf file as well",
  ),
  pooling: z.enum(["auto", "mean", "last", "cls"]).default("auto").describe(
    "vector of a text from those of its tokens, auto as the model's directory says, else mean:",
  ),
  maxLength: count().optional().describe(
    "tokens a text is cut to (default: the model's own, at most 2048)",
  ),
  normalize: z.boolean().default(true).describe("scale vectors to length 1"),
  prefix: z.string().default("").describe("instruction to the model before every text"),
  batchTokens: count().default(8192).describe("tokens that the model computes at a time"),
};
/** {@link sentenceFields} with all values. */
export type SentenceConfig = z.output<z.ZodObject<typeof sentenceFields>>;

/** What {@link SentenceConfig} comes to for one model. */
export interface SentenceSettings {
  /** Pooling to use. */
  pooling: Pooling;
  /** Most tokens a text. */
  maxLength: number;
}

const LONGEST = 2048;

const Modules = z.array(z.looseObject({ type: z.string(), path: z.string().default("") }));
const PoolingFile = z.looseObject({
  pooling_mode: z.string().optional(),
  pooling_mode_mean_tokens: z.boolean().optional(),
  pooling_mode_lasttoken: z.boolean().optional(),
  pooling_mode_cls_token: z.boolean().optional(),
});
const LengthFile = z.looseObject({ max_seq_length: z.int().min(1).nullish() });

/**
 * Fills in what the settings leave to the model, from the files that sentence-transformers keeps in its directory:
 * `modules.json`, the config of its pooling module, `sentence_bert_config.json`. `positions` is the longest text that
 * the model can read.
 * @throws {UserError} if a text can be no longer than 0 tokens, or the model does more to vectors than pooling.
 */
export async function sentenceSettings(
  files: Pick<ReadFiles, "readFile" | "listFiles">,
  config: SentenceConfig,
  positions: number,
): Promise<SentenceSettings> {
  const { model, maxLength } = config;
  const names = await files.listFiles(model);
  let pooling = config.pooling;
  if (names.includes("modules.json")) {
    const modules = await readModelJson(files, `${model}/modules.json`, Modules);
    const unknown = modules.find(({ type }) => !/\.(Transformer|Pooling|Normalize)$/.test(type));
    if (unknown) {
      throw new UserError(
        `Cannot use ${model}: its modules.json has a layer ${unknown.type} after the model, only Pooling and ` +
          `Normalize are supported. Make the embeddings with sentence-transformers and use --provider npy`,
      );
    }
    const module = modules.find(({ type }) => type.endsWith(".Pooling"));
    if (module && pooling === "auto") {
      pooling = await modelPooling(files, `${model}/${module.path}/config.json`);
    }
  }
  if (maxLength !== undefined && maxLength > positions) {
    throw new UserError(
      `Cannot cut texts to ${maxLength} tokens: ${model} has ${positions} positions. Use --max-length ${positions} or less`,
    );
  }
  const own = names.includes("sentence_bert_config.json")
    ? (await readModelJson(files, `${model}/sentence_bert_config.json`, LengthFile)).max_seq_length
    : undefined;
  return {
    pooling: pooling === "auto" ? "mean" : pooling,
    maxLength: maxLength ?? Math.min(own ?? LONGEST, positions),
  };
}

async function modelPooling(files: Pick<ReadFiles, "readFile">, path: string): Promise<Pooling> {
  const found = await readModelJson(files, path, PoolingFile);
  if (found.pooling_mode_mean_tokens || found.pooling_mode === "mean") return "mean";
  if (found.pooling_mode_lasttoken || found.pooling_mode === "lasttoken") return "last";
  if (found.pooling_mode_cls_token || found.pooling_mode === "cls") return "cls";
  throw new UserError(
    `Cannot use ${path}: its pooling is none of mean, last token and cls. Choose one with --pooling`,
  );
}

/** A JSON file of a model directory, checked. Throws `UserError` naming the file and the field. */
export async function readModelJson<T>(
  files: Pick<ReadFiles, "readFile">,
  path: string,
  schema: z.ZodType<T>,
): Promise<T> {
  return parseJson(new TextDecoder().decode(await files.readFile(path)), path, schema);
}

/** hidden (T, D) -> the vector (D) of the tokens `start` to `end - 1`. Sums in double precision. */
export function pool(
  hidden: Float32Array,
  dim: number,
  start: number,
  end: number,
  pooling: Pooling,
): Float32Array {
  if (pooling !== "mean") {
    const row = pooling === "cls" ? start : end - 1;
    return hidden.slice(row * dim, (row + 1) * dim);
  }
  const sum = new Float64Array(dim);
  for (let row = start; row < end; row++) {
    for (let d = 0; d < dim; d++) sum[d] += hidden[row * dim + d];
  }
  return Float32Array.from(sum, (value) => value / (end - start));
}

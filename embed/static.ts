import { z } from "zod";
import { count } from "../base/fields.ts";
import { UserError } from "../base/user_error.ts";
import { truncatedSvd } from "./text/truncated_svd.ts";
import { reductionFields } from "./fields.ts";
import type { EmbeddingContext, TextEmbedder, TextProvider } from "./provider.ts";
import type { StaticConfig } from "./settings.generated.ts";
import { reducedRows } from "./text/reduced_rows.ts";
import { smoothInverseFrequency } from "./text/sif.ts";
import { tfidf } from "./text/tfidf.ts";
import { packagedVectors, readWordVectors } from "./text/word_vectors.ts";

/** How {@link staticProvider} makes vectors. */
export type StaticEngine = StaticConfig["engine"];

export type { StaticConfig };

const { dim, singularPower, seed } = reductionFields;
const Config = z.strictObject({
  engine: z.enum(["tfidf", "word-vectors"]).default("tfidf").describe(
    "tfidf: terms of the texts; word-vectors: vectors of their words;",
  ),
  dim,
  hashBits: count(8).max(20).default(17).describe("tfidf: terms are hashed to 2^n buckets"),
  letters: count(0).max(8).default(3).describe(
    "tfidf: length of the runs of letters that are terms beside the words, 0 for words alone",
  ),
  singularPower,
  seed,
  wordVectors: z.string().default("").describe(
    "word-vectors: file in the text form of GloVe or word2vec (default: English ones, 110 MB from npm)",
  ),
}).describe("Settings of `static`.");

/**
 * Vectors of texts without a language model. Engine tfidf is latent semantic analysis (Deerwester et al. 1990): TF-IDF
 * reduced to its strongest directions; it needs no file and no network. Engine word-vectors averages the vectors of
 * the words (Arora et al. 2017).
 */
export const staticProvider: TextProvider<StaticConfig> = {
  input: "text",
  name: "static",
  Config,
  async open(context, config) {
    if (config.engine === "tfidf") return semanticAnalysis(context, config);
    const { wordVectors } = config;
    const vectors = wordVectors === ""
      ? await packagedVectors()
      : await readWordVectors(context, wordVectors);
    return {
      dim: vectors.dim,
      wholeCorpus: true,
      embed: (texts) => Promise.resolve(smoothInverseFrequency(texts, vectors)),
      close() {},
    };
  },
};

function semanticAnalysis(
  context: EmbeddingContext,
  { dim, hashBits, letters, singularPower, seed }: StaticConfig,
): TextEmbedder {
  return {
    dim,
    wholeCorpus: true,
    async embed(texts, onProgress) {
      const terms = tfidf(texts, { hashBits, letters, seed });
      const rank = Math.min(dim, terms.rows, terms.cols);
      if (rank === 0) {
        throw new UserError(
          `Cannot embed ${texts.length} texts: they share ${terms.cols} terms, expected 1 or more. Use other --fields`,
        );
      }
      const device = await context.device("buffer");
      return reducedRows(await truncatedSvd(device, terms, { rank, seed }, onProgress), singularPower);
    },
    close() {},
  };
}

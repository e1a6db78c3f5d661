import { z } from "zod";
import { UserError } from "../../data/user_error.ts";
import { truncatedSvd } from "../truncated_svd.ts";
import type { TextProvider } from "./provider.ts";
import { unitRows } from "./unit_rows.ts";
import { tfidf } from "./tfidf.ts";

/** Settings of {@link staticProvider}. */
export interface StaticConfig {
  /** Numbers a vector, D. Default: 128. */
  dim: number;
  /** Terms are hashed to 2^hashBits buckets. Default: 17. */
  hashBits: number;
  /** Length of the runs of letters that are terms beside the words, 0 for words alone. Default: 3. */
  letters: number;
  /** Exponent of the singular values: 1 keeps distances of the terms, 0 gives all directions one weight. Default: 0.5. */
  singularPower: number;
  /** Seed of the hash and of the decomposition. Default: 42. */
  seed: number;
}

const fields = {
  dim: z.int().min(1).max(1024).default(128).describe("numbers a vector"),
  hashBits: z.int().min(8).max(20).default(17).describe("terms are hashed to 2^n buckets"),
  letters: z.int().min(0).max(8).default(3).describe(
    "length of the runs of letters that are terms beside the words, 0 for words alone",
  ),
  singularPower: z.number().min(0).max(1).default(0.5).describe(
    "exponent of the singular values: 0 gives all directions one weight",
  ),
  seed: z.int().min(0).default(42).describe("seed of random starts"),
} satisfies { [K in keyof StaticConfig]: z.ZodType<StaticConfig[K]> };

/**
 * Latent semantic analysis (Deerwester et al. 1990): TF-IDF of words and word pairs, reduced to its strongest
 * directions. Needs no model and no network. A vector is U S^p of its text, scaled to length 1.
 */
export const staticProvider: TextProvider<StaticConfig> = {
  input: "text",
  name: "static",
  Config: z.strictObject(fields),
  open: (context, { dim, hashBits, letters, singularPower, seed }) =>
    Promise.resolve({
      dim,
      wholeCorpus: true,
      async embed(texts, onProgress) {
        const terms = tfidf(texts, { hashBits, letters, seed });
        const most = Math.min(terms.rows, terms.cols);
        if (dim > most) {
          throw new UserError(
            `Cannot embed ${texts.length} texts that share ${terms.cols} terms in ${dim} dimensions: ` +
              `expected at most ${most}. Use --dim ${2 ** Math.floor(Math.log2(Math.max(1, most)))} or less`,
          );
        }
        const device = await context.device("buffer");
        const { u, singularValues } = await truncatedSvd(device, terms, { rank: dim, seed }, onProgress);
        for (let i = 0; i < u.length; i++) u[i] *= singularValues[i % dim] ** singularPower;
        return unitRows(u, dim);
      },
      close() {},
    }),
};

import { z } from "zod";
import { UserError } from "../base/user_error.ts";
import { truncatedSvd } from "./text/truncated_svd.ts";
import { positiveMutualInformation } from "./text/co_occurrence.ts";
import type { HistoryProvider } from "./provider.ts";
import { reducedRows } from "./text/reduced_rows.ts";

/** Settings of {@link collaborativeProvider}. */
export interface CollaborativeConfig {
  /** Numbers a vector, D. Default: 128. */
  dim: number;
  /** Items at most this many places apart in a history count as bought together. Default: 3. */
  window: number;
  /** Exponent of the counts of contexts. Default: 0.75. */
  contextSmoothing: number;
  /** Exponent of the singular values. Default: 0.75. */
  singularPower: number;
  /** Seed of the decomposition. Default: 42. */
  seed: number;
}

const fields = {
  dim: z.int().min(1).max(1024).default(128).describe("numbers a vector"),
  window: z.int().min(1).max(1000).default(3).describe(
    "items at most this many places apart in a history count as bought together",
  ),
  contextSmoothing: z.number().min(0).max(1).default(0.75).describe(
    "exponent of the counts of contexts, below 1 against rare ones",
  ),
  singularPower: z.number().min(0).max(1).default(0.75).describe(
    "exponent of the singular values: 0 gives all directions one weight",
  ),
  seed: z.int().min(0).default(42).describe("seed of random starts"),
} satisfies { [K in keyof CollaborativeConfig]: z.ZodType<CollaborativeConfig[K]> };

/**
 * Items by what they are bought with: positive pointwise mutual information of neighbours in train histories, reduced
 * by a truncated SVD to U S^p (Levy, Goldberg and Dagan 2015), each scaled to length 1. Items without neighbours get 0.
 */
export const collaborativeProvider: HistoryProvider<CollaborativeConfig> = {
  input: "histories",
  name: "collaborative",
  Config: z.strictObject(fields),
  async embed(context, input, { dim, window, contextSmoothing, singularPower, seed }, onProgress) {
    const information = positiveMutualInformation(input, { window, contextSmoothing });
    const { offsets, rows } = information;
    let seen = 0;
    for (let item = 0; item < rows; item++) if (offsets[item] < offsets[item + 1]) seen++;
    if (dim > seen) {
      throw new UserError(
        `Cannot embed ${rows} items in ${dim} dimensions: train histories bring only ${seen} of them together with ` +
          `others, expected at least ${dim}. ` +
          (seen > 0 ? `Use --dim ${2 ** Math.floor(Math.log2(seen))} or less` : "Use more interactions"),
      );
    }
    const device = await context.device("buffer");
    const data = reducedRows(
      await truncatedSvd(device, information, { rank: dim, seed }, onProgress),
      singularPower,
    );
    return { dim, data };
  },
};

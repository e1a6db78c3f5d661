import { z } from "zod";
import { count } from "../../base/fields.ts";
import { UserError } from "../../base/user_error.ts";
import { bestOfStarts } from "../kmeans/best_of_starts.ts";
import { constrainedKmeans } from "../assignment/constrained_kmeans.ts";
import { checkEmbeddings, checkEnoughItems } from "../embeddings.ts";
import { kmeansPlusPlus } from "../kmeans/start.ts";
import type { SidMethod } from "../method.ts";
import type { RqKmeansConstrainedConfig } from "../settings.generated.ts";
import { encodeResidual, fitResidual } from "../kmeans/residuals.ts";
import { residualKmeansFields, rqKmeans } from "./rq_kmeans.ts";

export type { RqKmeansConstrainedConfig };

/**
 * Residual k-means in which every codeword of every level codes about as many items as any other, at the least error
 * that this allows: {@link constrainedKmeans} on each level, from a k-means++ start (progressive ones end 0.1 to 0.7 %
 * higher here).
 */
export const rqKmeansConstrained: SidMethod<RqKmeansConstrainedConfig> = {
  name: "rqkmeans-constrained",
  Config: z.strictObject({
    ...residualKmeansFields({ iterations: 100, tolerance: 1e-5, starts: 1 }),
    minSize: count(0).default(0).describe("least items of a codeword; 0: items / codewords - 1"),
    maxSize: count(0).default(0).describe("most items of a codeword; 0: items / codewords + 1"),
  }).describe("Settings of `rqkmeans-constrained`."),
  async fit(device, { embeddings }, config, onProgress) {
    const { levels, codebookSize, iterations, tolerance, starts, seed } = config;
    const { rows, dim } = embeddings;
    checkEmbeddings(embeddings);
    checkEnoughItems(embeddings, codebookSize);
    const options = { ...sizeBounds(rows, config), iterations, tolerance };
    return await fitResidual(embeddings, levels, (residuals, level) => {
      const points = { data: residuals, rows, dim };
      return bestOfStarts(points, level, { levels, starts, iterations }, async (index, report) => {
        const from = await kmeansPlusPlus(device, residuals, points, codebookSize, seed, index);
        return await constrainedKmeans(device, points, from, options, report);
      }, onProgress);
    });
  },
  rehearse: (device, input, { minSize: _min, maxSize: _max, ...config }, onProgress) =>
    rqKmeans.fit(device, input, config, onProgress),
  encode: encodeResidual,
};

/**
 * Bounds that the settings mean for N items.
 * @throws {UserError} if no clustering keeps to them.
 */
export function sizeBounds(
  rows: number,
  { codebookSize, minSize, maxSize }: Pick<RqKmeansConstrainedConfig, "codebookSize" | "minSize" | "maxSize">,
): { min: number; max: number } {
  const even = Math.floor(rows / codebookSize);
  const min = minSize || Math.max(1, even - 1);
  const max = maxSize || even + 1;
  if (min * codebookSize > rows || max * codebookSize < rows) {
    throw new UserError(
      `Cannot put ${rows} items on ${codebookSize} codewords of ${min} to ${max} items: they take ` +
        `${min * codebookSize} to ${max * codebookSize}. Use --min-size ${even} or less and --max-size ` +
        `${Math.ceil(rows / codebookSize)} or more`,
    );
  }
  return { min, max };
}

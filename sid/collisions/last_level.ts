import { UserError } from "../../base/user_error.ts";
import type { Codes, LastLevel } from "./policy.ts";

/**
 * Number of codewords of the last level, K.
 * @throws {UserError} if residuals or codebook do not fit the codes.
 */
export function lastCodewords({ rows }: Codes, { residuals, codebook, dim }: LastLevel): number {
  const codewords = codebook.length / dim;
  if (residuals.length !== rows * dim || !Number.isInteger(codewords)) {
    throw new UserError(
      `Cannot resolve collisions: residuals hold ${residuals.length} and the codebook ${codebook.length} numbers, ` +
        `expected (${rows}, ${dim}) = ${rows * dim} and a multiple of ${dim}. Pass those of the last level`,
    );
  }
  return codewords;
}

/** Squared distance between what is left over of an item and a codeword of the last level. */
export function lastDistance(
  { residuals, codebook, dim }: LastLevel,
  item: number,
  codeword: number,
): number {
  let sum = 0;
  for (let i = 0; i < dim; i++) sum += (residuals[item * dim + i] - codebook[codeword * dim + i]) ** 2;
  return sum;
}

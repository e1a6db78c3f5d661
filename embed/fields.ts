import { count, share } from "../base/fields.ts";

/** Settings of vectors that a matrix of counts is reduced to. */
export const reductionFields = {
  dim: count().max(1024).default(128).describe(
    "numbers a vector, fewer where there are not as many directions",
  ),
  singularPower: share.default(0.75).describe(
    "exponent of the singular values: 0 gives all directions one weight",
  ),
  seed: count(0).default(42).describe("seed of random starts"),
};

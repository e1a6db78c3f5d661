import { type MatmulVariant, tilesVariant } from "./matmul.ts";

/** The implementation of each operation that has several. */
export interface Variants {
  matmul: MatmulVariant;
}

export function defaultVariants(): Variants {
  return { matmul: tilesVariant };
}

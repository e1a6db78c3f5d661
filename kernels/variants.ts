import { type AttentionVariant, rowsVariant } from "./attention.ts";
import { type MatmulVariant, tilesVariant } from "./matmul.ts";

/** The implementation of each operation that has several. */
export interface Variants {
  matmul: MatmulVariant;
  attention: AttentionVariant;
}

export function defaultVariants(): Variants {
  return { matmul: tilesVariant, attention: rowsVariant };
}

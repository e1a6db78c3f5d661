import type { Codes, LastLevel } from "../../../sid/collisions/policy.ts";

/** Codes of items, given row by row. */
export function codesOf(...rows: number[][]): Codes {
  return { data: rows.flat(), rows: rows.length, levels: rows[0].length };
}

/** One-dimensional last level: residual of every item, codebook 0, 10, 20, ... unless told. */
export function lastLevel(residuals: number[], codebook = [0, 10, 20, 30, 40, 50]): LastLevel {
  return { residuals: Float32Array.from(residuals), codebook: Float32Array.from(codebook), dim: 1 };
}

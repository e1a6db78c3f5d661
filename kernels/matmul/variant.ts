import type { Kernel } from "../gpu/kernel.ts";
import type { Variant } from "../gpu/variants.ts";
import type { Epilogue } from "./epilogue.ts";

/** A B, A B^T or A^T B. */
export type MatmulForm = "ab" | "abt" | "atb";

/** One way to compute the three products: kernels that share an interface. */
export interface MatmulVariant extends Variant {
  /** What serves instead where an operand is stored in float32. Default: this one. */
  readonly wide?: MatmulVariant;
  /** A (M, K) B (K, N), and what follows it. */
  readonly matmul: (epilogue: Epilogue) => Kernel;
  /** A (M, K) B^T, with B (N, K), and what follows it. */
  readonly matmulBt: (epilogue: Epilogue) => Kernel;
  /** A^T B, with A (K, M) and B (K, N). */
  readonly matmulAt: Kernel;
  /** Invocations of the 1-D grid for a result (rows, cols). */
  invocations(form: MatmulForm, rows: number, cols: number): number;
}

import { ATTENTION } from "./attention/attention.ts";
import type { TunableOperation } from "./gpu/workload.ts";
import { MATMUL } from "./matmul/matmul.ts";

/** Operations with variants, one line each: what `--variant` can name, `doctor` shows and `autotune()` times. */
export const OPERATIONS: readonly TunableOperation[] = [
  MATMUL,
  ATTENTION,
];

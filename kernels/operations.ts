import { ATTENTION } from "./attention/attention.ts";
import { PATH_ATTENTION } from "./attention/beams/beam_paths.ts";
import type { TunableOperation } from "./gpu/workload.ts";
import { SOFTMAX } from "./loss/cross_entropy.ts";
import { MATMUL } from "./matmul/matmul.ts";
import { RESIDUAL_NORM } from "./norm/residual/add_rms.ts";
import { NORM } from "./norm/rms.ts";
import { LOG_SUM } from "./reduce/log_sum_exp.ts";
import { TOP_K } from "./trie/search/topk.ts";

/** Operations with variants, one line each: what `--variant` can name, `doctor` shows and `autotune()` times. */
export const OPERATIONS: readonly TunableOperation[] = [
  MATMUL,
  ATTENTION,
  PATH_ATTENTION,
  NORM,
  RESIDUAL_NORM,
  LOG_SUM,
  SOFTMAX,
  TOP_K,
];

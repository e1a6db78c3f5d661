import type { Kernel } from "../gpu/kernel.ts";
import type { Variant } from "../gpu/variants.ts";

/** Kernels of one variant for one head width. */
export interface AttentionKernels {
  /** Attended values (T, heads * headDim) and the log-sum-exp of the scores, which backward needs. */
  readonly forward: Kernel;
  /** Gradient of the queries (T, heads * headDim). */
  readonly dq: Kernel;
  /** Gradients of the keys and values (T, kvHeads * headDim). */
  readonly dkv: Kernel;
}

/** One way to compute packed tree attention; kernels by head dimension, which sizes registers and tiles. */
export interface AttentionVariant extends Variant {
  /** What serves instead where an operand is stored in float32. Default: this one. */
  readonly wide?: AttentionVariant;
  /** The same object at each call with the same width, so that pipelines are cached. */
  kernels(headDim: number): AttentionKernels;
  /** Invocations of the 2-D grid over `rows` queries (forward, dq) or keys (dkv) and their heads. */
  invocations(rows: number, heads: number): readonly [number, number];
}

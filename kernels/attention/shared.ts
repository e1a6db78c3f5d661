import type { AttentionKernels, AttentionVariant } from "./variant.ts";
import backwardCode from "./shared_backward.wgsl" with { type: "text" };
import forwardCode from "./shared.wgsl" with { type: "text" };
import tileCode from "./shared_tile.wgsl" with { type: "text" };

const BLOCK = 16; // queries (or keys) a workgroup
const THREADS = 256;
const STRIDE = 17;

const kernels = new Map<number, AttentionKernels>();

/** Blocks of 16 queries and tiles of 16 keys in workgroup memory: at most 28 KiB, for heads of 128 numbers. */
export const sharedAttentionVariant: AttentionVariant = {
  name: "shared",
  kernels(headDim) {
    const known = kernels.get(headDim);
    if (known) return known;
    const groups = headDim / 4;
    const common = {
      workgroup: [THREADS, 1] as const,
      constants: { GROUPS: groups, TILE: groups * STRIDE },
    };
    const backward = {
      ...common,
      label: "kernels/attention/shared_backward.wgsl",
      code: tileCode + backwardCode,
      flats: ["read", "read"] as const,
    };
    const made: AttentionKernels = {
      forward: {
        ...common,
        label: "kernels/attention/shared.wgsl",
        code: tileCode + forwardCode,
        entry: "attention_shared",
        inputs: 3,
        outputs: 2,
        flats: ["read"],
      },
      dq: { ...backward, entry: "attention_shared_dq", inputs: 4, outputs: 2 },
      dkv: { ...backward, entry: "attention_shared_dkv", inputs: 3, outputs: 1 },
    };
    kernels.set(headDim, made);
    return made;
  },
  invocations: (rows, heads) => [Math.ceil(rows / BLOCK) * THREADS, heads],
};

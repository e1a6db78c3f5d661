import type { AttentionKernels, AttentionVariant } from "./attention.ts";
import backwardCode from "./attention_pairs_backward.wgsl" with { type: "text" };
import forwardCode from "./attention_pairs.wgsl" with { type: "text" };
import headCode from "./head.wgsl" with { type: "text" };
import intervalsCode from "./intervals.wgsl" with { type: "text" };

const made = new Map<number, AttentionKernels>();

/** Barrier-free like `rows`, two neighbouring rows an invocation: half the loads of keys and values. */
export const pairsVariant: AttentionVariant = {
  name: "pairs",
  kernels(headDim) {
    const known = made.get(headDim);
    if (known) return known;
    const constants = { GROUPS: headDim / 4, BLOCKS: Math.ceil(headDim / 16) };
    const common = { workgroup: [8, 1] as const, constants };
    const prelude = headCode + intervalsCode;
    const backward = {
      ...common,
      label: "kernels/attention_pairs_backward.wgsl",
      code: prelude + backwardCode,
      flats: ["read", "read"] as const,
    };
    const kernels: AttentionKernels = {
      forward: {
        ...common,
        label: "kernels/attention_pairs.wgsl",
        code: prelude + forwardCode,
        entry: "attention",
        inputs: 3,
        outputs: 2,
        flats: ["read"],
      },
      dq: { ...backward, entry: "attention_dq", inputs: 4, outputs: 2 },
      dkv: { ...backward, entry: "attention_dkv", inputs: 3, outputs: 1 },
    };
    made.set(headDim, kernels);
    return kernels;
  },
  invocations: (rows, heads) => [Math.ceil(rows / 2), heads],
};

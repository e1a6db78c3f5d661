import type { AttentionKernels, AttentionVariant } from "../variant.ts";
import type { ShaderFeature } from "../../gpu/kernel.ts";
import alone from "./alone.wgsl" with { type: "text" };
import backwardCode from "./backward.wgsl" with { type: "text" };
import exchange from "./exchange.wgsl" with { type: "text" };
import forwardCode from "./shared.wgsl" with { type: "text" };
import half from "./half.wgsl" with { type: "text" };
import subgroups from "./subgroups.wgsl" with { type: "text" };
import tile from "./tile.wgsl" with { type: "text" };
import wide from "./wide.wgsl" with { type: "text" };

const BLOCK = 16; // queries (or keys) a workgroup
const THREADS = 256;
const STRIDE = 17;

/** Blocks of 16 queries and tiles of 16 keys in workgroup memory: at most 28 KiB, for heads of 128 numbers. */
export const sharedAttentionVariant: AttentionVariant = variantOf("shared", tile + wide + alone + exchange);

/** The same, where weights and what rows of them come to pass through subgroups: two barriers a tile where those are four. */
export const subgroupsAttentionVariant: AttentionVariant = {
  ...variantOf("subgroups", tile + wide + subgroups + exchange, "subgroups"),
  needs: ["subgroups"],
};

/** `shared` in float16 arithmetic, where all that is multiplied is stored in it: sums and weights are float32. */
export const sharedHalfAttentionVariant: AttentionVariant = {
  ...variantOf("shared-half", tile + half + alone + exchange, "shader-f16"),
  needs: ["shader-f16", "float16 storage"],
  wide: sharedAttentionVariant,
};

function variantOf(name: string, tileCode: string, needs?: ShaderFeature): AttentionVariant {
  const made = new Map<number, AttentionKernels>();
  return {
    name,
    kernels(headDim) {
      const known = made.get(headDim);
      if (known) return known;
      const groups = headDim / 4;
      const common = {
        workgroup: [THREADS, 1] as const,
        constants: { GROUPS: groups, TILE: groups * STRIDE },
        needs,
      };
      const backward = {
        ...common,
        label: "kernels/attention/shared/backward.wgsl",
        code: tileCode + backwardCode,
        flats: ["read", "read"] as const,
      };
      const kernels: AttentionKernels = {
        forward: {
          ...common,
          label: "kernels/attention/shared/shared.wgsl",
          code: tileCode + forwardCode,
          entry: "attention_shared",
          inputs: 3,
          outputs: 2,
          flats: ["read"],
        },
        dq: { ...backward, entry: "attention_shared_dq", inputs: 4, outputs: 2 },
        dkv: { ...backward, entry: "attention_shared_dkv", inputs: 3, outputs: 1 },
      };
      made.set(headDim, kernels);
      return kernels;
    },
    invocations: (rows, heads) => [Math.ceil(rows / BLOCK) * THREADS, heads],
  };
}

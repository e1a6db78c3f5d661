import type { DecoderShape } from "./shape.ts";

/** Qwen3 (arXiv:2505.09388). */
export const qwen3: DecoderShape = {
  architecture: "Qwen3ForCausalLM",
  maxPositions: 32768,
  queryKeyNorm: true,
  attentionBias: "optional",
  mlpBias: false,
};

import type { DecoderShape } from "./shape.ts";

/** Qwen2 (arXiv:2407.10671) and Qwen2.5; the output of attention never has a bias. */
export const qwen2: DecoderShape = {
  architecture: "Qwen2ForCausalLM",
  maxPositions: 32768,
  queryKeyNorm: false,
  attentionBias: "always",
  mlpBias: false,
};

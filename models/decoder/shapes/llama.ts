import type { DecoderShape } from "./shape.ts";

/** Llama (arXiv:2302.13971), 2 and 3, and what is built like it. */
export const llama: DecoderShape = {
  architecture: "LlamaForCausalLM",
  maxPositions: 2048,
  queryKeyNorm: false,
  attentionBias: "optional",
  mlpBias: true,
};

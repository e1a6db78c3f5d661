import { type DecoderConfig, parseDecoderConfig } from "../../models/decoder/config.ts";

/** Size of a small decoder. */
export interface SmallDecoder {
  width: number;
  layers: number;
  vocabulary: number;
}

/** Architecture of a small decoder for sequences of up to `context` tokens. */
export function smallDecoderConfig(
  { width, layers, vocabulary }: SmallDecoder,
  context: number,
): DecoderConfig {
  return parseDecoderConfig({
    model_type: "qwen2",
    vocab_size: vocabulary,
    hidden_size: width,
    intermediate_size: 2 * width,
    num_hidden_layers: layers,
    num_attention_heads: 4,
    max_position_embeddings: context,
  });
}

import { parseDecoderConfig } from "../../models/decoder/config.ts";

/** Shapes of the models that the SFT benchmarks train, by the names of Hugging Face. */
export const SFT_SHAPES = {
  "Qwen2.5-0.5B": shape(896, 4864, 24, 14, true),
  "Qwen2.5-1.5B": shape(1536, 8960, 28, 12, true),
  "Qwen2.5-3B": shape(2048, 11008, 36, 16, true),
  /** Narrow, so that the vocabulary is most of the work. */
  tiny: shape(64, 128, 2, 2, true),
};

// All Qwen2.5 models of this size have two heads of keys and values, and this vocabulary.
function shape(hidden: number, intermediate: number, layers: number, heads: number, tied: boolean) {
  return parseDecoderConfig({
    model_type: "qwen2",
    vocab_size: 151936,
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: 2,
    max_position_embeddings: 2048,
    rope_theta: 1e6,
    tie_word_embeddings: tied,
  });
}

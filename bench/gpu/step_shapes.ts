import { type DecoderConfig, parseDecoderConfig } from "../../models/decoder/config.ts";
import { SFT_SHAPES } from "../layouts/sft_shapes.ts";

const small = (width: number, layers: number, heads: number, intermediate: number) =>
  parseDecoderConfig({
    model_type: "qwen2",
    vocab_size: 576,
    hidden_size: width,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    max_position_embeddings: 512,
  });

/** Models whose training steps a GPU is judged by. */
export const STEP_SHAPES: { name: string; config: DecoderConfig; tokens: number }[] = [
  { name: "0.9 M, width 128", config: small(128, 4, 4, 344), tokens: 2048 },
  { name: "25 M, width 512", config: small(512, 8, 8, 1408), tokens: 4096 },
  {
    name: "135 M, SmolLM2",
    config: parseDecoderConfig({
      model_type: "llama",
      vocab_size: 49152,
      hidden_size: 576,
      intermediate_size: 1536,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      max_position_embeddings: 2048,
    }),
    tokens: 4096,
  },
  { name: "0.5 B, Qwen2.5", config: SFT_SHAPES["Qwen2.5-0.5B"], tokens: 4096 },
];

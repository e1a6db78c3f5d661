/** Shapes of Qwen2.5 as their config.json has them, as far as the size of a step goes. */
export const MODELS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "qwen2.5-0.5b": qwen(896, 4864, 24, 14, 2),
  "qwen2.5-1.5b": qwen(1536, 8960, 28, 12, 2),
  "qwen2.5-3b": qwen(2048, 11008, 36, 16, 2),
};

function qwen(width: number, intermediate: number, layers: number, heads: number, keyValueHeads: number) {
  return {
    model_type: "qwen2",
    vocab_size: 151936,
    hidden_size: width,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: keyValueHeads,
    max_position_embeddings: 32768,
    rms_norm_eps: 1e-6,
    rope_theta: 1000000,
    hidden_act: "silu",
    tie_word_embeddings: true,
    eos_token_id: 151643,
    bos_token_id: 151643,
  };
}

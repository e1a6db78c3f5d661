/**
 * What sets a family of decoders apart from the others: one module and one line in `registry.ts`, under the
 * `model_type` of its `config.json`.
 */
export interface DecoderShape {
  /** Its class in Hugging Face transformers. */
  readonly architecture: string;
  /** Positions where a file does not say how many. */
  readonly maxPositions: number;
  /** RMSNorm on each head's queries and keys. */
  readonly queryKeyNorm: boolean;
  /** Biases on queries, keys and values: always, or where `attention_bias` is set, which then is on the output too. */
  readonly attentionBias: "always" | "optional";
  /** Whether feed-forward projections may have biases, where `mlp_bias` is set. */
  readonly mlpBias: boolean;
}

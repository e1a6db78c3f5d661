import { z } from "zod";
import { type ItemTrainingConfig, itemTrainingFields } from "./item_config.ts";

/** Settings of networks of attention blocks over item numbers. */
export interface AttentionConfig extends ItemTrainingConfig {
  /** Width of the stream. */
  hiddenSize: number;
  /** Blocks. */
  numHiddenLayers: number;
  /** Attention heads. */
  numAttentionHeads: number;
  /** Whether scores are products with the item embedding. */
  tieWordEmbeddings: boolean;
}

/** {@link AttentionConfig} with its checks, defaults and the help of its flags. */
export const AttentionSettings = z.strictObject(
  {
    ...itemTrainingFields,
    hiddenSize: z.int().min(1).default(64).describe("width of the stream"),
    numHiddenLayers: z.int().min(1).default(2).describe("blocks"),
    numAttentionHeads: z.int().min(1).default(2).describe("attention heads"),
    tieWordEmbeddings: z.boolean().default(true).describe("use the item embedding as output matrix"),
  } satisfies { [K in keyof AttentionConfig]: z.ZodType<AttentionConfig[K]> },
);

/** Sizes that all of them have, for a catalogue of so many items. */
export function itemAttentionShape(config: AttentionConfig, items: number) {
  return {
    num_items: items,
    max_length: config.maxLength,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    tie_word_embeddings: config.tieWordEmbeddings,
    output_bias: config.outputBias,
  };
}

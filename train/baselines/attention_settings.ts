import { z } from "zod";
import { count } from "../../base/fields.ts";
import { hiddenSize, itemTrainingFields, numHiddenLayers, tieWordEmbeddings } from "./item_config.ts";

/** Settings of networks of attention blocks over item numbers. */
export const AttentionSettings = z.strictObject({
  ...itemTrainingFields,
  hiddenSize,
  numHiddenLayers: numHiddenLayers(2),
  numAttentionHeads: count().default(2).describe("attention heads"),
  tieWordEmbeddings: tieWordEmbeddings(true),
});
/** {@link AttentionSettings} with all values. */
export type AttentionConfig = z.output<typeof AttentionSettings>;

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

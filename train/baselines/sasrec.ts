import { z } from "zod";
import { Sasrec, SasrecShape } from "../../models/sasrec.ts";
import { itemMethod } from "./item_method.ts";
import { type ItemTrainingConfig, itemTrainingFields } from "./item_training.ts";
import type { BaselineMethod } from "./method.ts";

/** Settings of {@link sasrec}. */
export interface SasrecConfig extends ItemTrainingConfig {
  /** Width of the stream. */
  hiddenSize: number;
  /** Blocks. */
  numHiddenLayers: number;
  /** Attention heads. */
  numAttentionHeads: number;
  /** Whether scores are products with the item embedding. */
  tieWordEmbeddings: boolean;
}

const fields = {
  ...itemTrainingFields,
  hiddenSize: z.int().min(1).default(64).describe("width of the stream"),
  numHiddenLayers: z.int().min(1).default(2).describe("blocks"),
  numAttentionHeads: z.int().min(1).default(2).describe("attention heads"),
  tieWordEmbeddings: z.boolean().default(true).describe("use the item embedding as output matrix"),
} satisfies { [K in keyof SasrecConfig]: z.ZodType<SasrecConfig[K]> };

/** Self-attentive sequential recommendation: see {@link Sasrec}. */
export const sasrec: BaselineMethod<SasrecConfig> = itemMethod<SasrecConfig, SasrecShape>({
  name: "sasrec",
  summary: "self-attention over item numbers (Kang and McAuley 2018)",
  Config: z.strictObject(fields),
  Shape: SasrecShape,
  shapeOf: (config, items) => ({
    model_type: "sasrec",
    num_items: items,
    max_length: config.maxLength,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    tie_word_embeddings: config.tieWordEmbeddings,
  }),
  create: (device, shape) => new Sasrec(device, shape),
});

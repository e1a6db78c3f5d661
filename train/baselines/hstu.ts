import { z } from "zod";
import { Hstu, HstuShape } from "../../models/hstu.ts";
import { itemMethod } from "./item_method.ts";
import { type ItemTrainingConfig, itemTrainingFields } from "./item_training.ts";
import type { BaselineMethod } from "./method.ts";

/** Settings of {@link hstu}. */
export interface HstuConfig extends ItemTrainingConfig {
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
} satisfies { [K in keyof HstuConfig]: z.ZodType<HstuConfig[K]> };

/** Hierarchical sequential transduction units: see {@link Hstu}. */
export const hstu: BaselineMethod<HstuConfig> = itemMethod<HstuConfig, HstuShape>({
  name: "hstu",
  summary: "pointwise attention with relative positions and gates over item numbers (Zhai et al. 2024)",
  Config: z.strictObject(fields),
  Shape: HstuShape,
  shapeOf: (config, items) => ({
    model_type: "hstu",
    num_items: items,
    max_length: config.maxLength,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    tie_word_embeddings: config.tieWordEmbeddings,
  }),
  create: (device, shape) => new Hstu(device, shape),
});

import { z } from "zod";
import { Gru4Rec, Gru4RecShape } from "../../models/items/gru4rec.ts";
import { itemMethod } from "./item_method.ts";
import { type ItemTrainingConfig, itemTrainingFields } from "./item_config.ts";
import type { BaselineMethod } from "./method.ts";

/** Settings of {@link gru4rec}. */
export interface Gru4RecConfig extends ItemTrainingConfig {
  /** Width of embedding and state. */
  hiddenSize: number;
  /** Layers. */
  numHiddenLayers: number;
  /** Whether scores are products with the item embedding. */
  tieWordEmbeddings: boolean;
}

const fields = {
  ...itemTrainingFields,
  // Chosen on the valid split of synthetic data: without a last norm, scores start too close to 0 to learn from.
  learningRate: z.number().positive().default(0.01).describe("peak learning rate"),
  initializerRange: z.number().positive().default(0.1).describe("standard deviation of fresh weights"),
  hiddenSize: z.int().min(1).default(64).describe("width of the stream"),
  numHiddenLayers: z.int().min(1).default(1).describe("blocks"),
  tieWordEmbeddings: z.boolean().default(true).describe("use the item embedding as output matrix"),
} satisfies { [K in keyof Gru4RecConfig]: z.ZodType<Gru4RecConfig[K]> };

/** Recurrent recommendation: see {@link Gru4Rec}. */
export const gru4rec: BaselineMethod<Gru4RecConfig> = itemMethod<Gru4RecConfig, Gru4RecShape>({
  name: "gru4rec",
  summary: "gated recurrent units over item numbers (Hidasi et al. 2016)",
  Config: z.strictObject(fields),
  Shape: Gru4RecShape,
  shapeOf: (config, items) => ({
    model_type: "gru4rec",
    num_items: items,
    max_length: config.maxLength,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    tie_word_embeddings: config.tieWordEmbeddings,
    output_bias: config.outputBias,
  }),
  create: (device, shape) => new Gru4Rec(device, shape),
});

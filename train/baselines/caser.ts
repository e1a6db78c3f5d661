import { z } from "zod";
import { Caser, CaserShape } from "../../models/items/caser.ts";
import { itemMethod } from "./item_method.ts";
import { type ItemTrainingConfig, itemTrainingFields } from "./item_config.ts";
import type { BaselineMethod } from "./method.ts";

/** Settings of {@link caser}. */
export interface CaserConfig extends ItemTrainingConfig {
  /** Width of embedding and state. */
  hiddenSize: number;
  /** Items of the window. */
  markovOrder: number;
  /** Horizontal filters of each height. */
  horizontalFilters: number;
  /** Vertical filters. */
  verticalFilters: number;
  /** Whether scores are products with the item embedding. */
  tieWordEmbeddings: boolean;
}

const fields = {
  ...itemTrainingFields,
  // Chosen on the valid split of synthetic data: without a last norm, scores start too close to 0 to learn from.
  learningRate: z.number().positive().default(0.01).describe("peak learning rate"),
  initializerRange: z.number().positive().default(0.1).describe("standard deviation of fresh weights"),
  hiddenSize: z.int().min(1).default(64).describe("width of the stream"),
  markovOrder: z.int().min(1).default(5).describe("latest items that the next one depends on"),
  horizontalFilters: z.int().min(1).default(16).describe("filters over neighbouring items, of each height"),
  verticalFilters: z.int().min(1).default(4).describe("filters that weigh the items"),
  tieWordEmbeddings: z.boolean().default(false).describe("use the item embedding as output matrix"),
} satisfies { [K in keyof CaserConfig]: z.ZodType<CaserConfig[K]> };

/** Convolutional sequence embedding: see {@link Caser}. */
export const caser: BaselineMethod<CaserConfig> = itemMethod<CaserConfig, CaserShape>({
  name: "caser",
  summary: "convolutions over the latest items (Tang and Wang 2018)",
  Config: z.strictObject(fields),
  Shape: CaserShape,
  shapeOf: (config, items) => ({
    model_type: "caser",
    num_items: items,
    max_length: config.maxLength,
    markov_order: config.markovOrder,
    hidden_size: config.hiddenSize,
    horizontal_filters: config.horizontalFilters,
    vertical_filters: config.verticalFilters,
    tie_word_embeddings: config.tieWordEmbeddings,
    output_bias: config.outputBias,
  }),
  create: (device, shape) => new Caser(device, shape),
});

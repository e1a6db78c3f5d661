import { z } from "zod";
import { count } from "../../base/fields.ts";
import { Caser, CaserShape } from "../../models/items/caser.ts";
import { initializerRange, learningRate } from "../../models/optimizer/fields.ts";
import { itemMethod } from "./item_method.ts";
import { hiddenSize, itemTrainingFields, tieWordEmbeddings } from "./item_config.ts";
import type { ItemScoringMethod } from "./method.ts";

const Config = z.strictObject({
  ...itemTrainingFields,
  // Chosen on the valid split of synthetic data: without a last norm, scores start too close to 0 to learn from.
  learningRate: learningRate(0.01),
  initializerRange: initializerRange(0.1),
  hiddenSize,
  markovOrder: count().default(5).describe("latest items that the next one depends on"),
  horizontalFilters: count().default(16).describe("filters over neighbouring items, of each height"),
  verticalFilters: count().default(4).describe("filters that weigh the items"),
  tieWordEmbeddings: tieWordEmbeddings(false),
});
/** Settings of {@link caser}. */
export type CaserConfig = z.output<typeof Config>;

/** Convolutional sequence embedding: see {@link Caser}. */
export const caser: ItemScoringMethod<CaserConfig> = itemMethod<CaserConfig, CaserShape>({
  name: "caser",
  summary: "convolutions over the latest items (Tang and Wang 2018)",
  Config,
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

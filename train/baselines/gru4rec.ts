import { z } from "zod";
import { Gru4Rec, Gru4RecShape } from "../../models/items/gru4rec.ts";
import { initializerRange, learningRate } from "../../models/optimizer/fields.ts";
import { itemMethod } from "./item_method.ts";
import { hiddenSize, itemTrainingFields, numHiddenLayers, tieWordEmbeddings } from "./item_config.ts";
import type { ItemScoringMethod } from "./method.ts";

const Config = z.strictObject({
  ...itemTrainingFields,
  // Chosen on the valid split of synthetic data: without a last norm, scores start too close to 0 to learn from.
  learningRate: learningRate(0.01),
  initializerRange: initializerRange(0.1),
  hiddenSize,
  numHiddenLayers: numHiddenLayers(1),
  tieWordEmbeddings: tieWordEmbeddings(true),
});
/** Settings of {@link gru4rec}. */
export type Gru4RecConfig = z.output<typeof Config>;

/** Recurrent recommendation: see {@link Gru4Rec}. */
export const gru4rec: ItemScoringMethod<Gru4RecConfig> = itemMethod<Gru4RecConfig, Gru4RecShape>({
  name: "gru4rec",
  summary: "gated recurrent units over item numbers (Hidasi et al. 2016)",
  Config,
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

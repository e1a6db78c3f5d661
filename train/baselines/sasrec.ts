import { z } from "zod";
import { readJson } from "../../data/json_file.ts";
import { Sasrec, SasrecShape } from "../../models/sasrec.ts";
import { itemBaseline, loadWeights } from "./item_baseline.ts";
import { type ItemTrainingConfig, itemTrainingFields, trainItems } from "./item_training.ts";
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
export const sasrec: BaselineMethod<SasrecConfig> = {
  name: "sasrec",
  summary: "self-attention over item numbers (Kang and McAuley 2018)",
  Config: z.strictObject(fields),
  async train(input, config) {
    const model = new Sasrec(input.device, {
      model_type: "sasrec",
      num_items: input.dataset.items.length,
      max_length: config.maxLength,
      hidden_size: config.hiddenSize,
      num_hidden_layers: config.numHiddenLayers,
      num_attention_heads: config.numAttentionHeads,
      tie_word_embeddings: config.tieWordEmbeddings,
    });
    model.initialize(config.seed, config.initializerRange);
    try {
      return await trainItems(model, input, config);
    } finally {
      model.destroy();
    }
  },
  async load(device, folder) {
    const model = new Sasrec(device, await readJson(`${folder}/config.json`, SasrecShape));
    try {
      await loadWeights(model, folder);
    } catch (error) {
      model.destroy();
      throw error;
    }
    return itemBaseline(model);
  },
};

import { z } from "zod";
import { blocks, count, positive, share, weight } from "../../base/fields.ts";
import { initializerRange } from "../../models/optimizer/fields.ts";
import { epochFields } from "../run/epoch_config.ts";

/** How models over item numbers are trained. */
export const itemTrainingFields = {
  ...epochFields({ dropout: 0.3, numTrainEpochs: 8, learningRate: 3e-3, warmupSteps: 50, weightDecay: 0.01 }),
  loss: z.enum(["softmax", "bce"]).default("softmax").describe(
    "softmax over the catalogue, or binary cross-entropy against one sampled item;",
  ),
  negatives: z.enum(["unseen", "other"]).default("unseen").describe(
    "bce: drawn from items unseen in the sequence, or other than the target, as MiniOneRec and MIMIGenRec do;",
  ),
  droWeight: weight.default(0).describe(
    "added to the loss times this: a distributionally robust term (DROS); 0: none",
  ),
  // The lower, the more the worst squared error counts.
  droTemperature: positive.default(1).describe("temperature of the distributionally robust term"),
  targets: z.enum(["all", "last"]).default("all").describe(
    "all: of a sequence a user, every item after the first; last: a sequence a target, as MiniOneRec and MIMIGenRec do;",
  ),
  maxLength: count().default(50).describe("items of the longest history; older ones are left out"),
  labelSmoothing: share.default(0).describe("softmax: target mass spread over the catalogue"),
  tokensPerBatch: count().default(256).describe("packed items of an optimizer step"),
  batchSize: count(0).default(0).describe(
    "sequences of an optimizer step, in parts of tokensPerBatch; 0: as many as one part holds",
  ),
  initializerRange: initializerRange(0.02),
  outputBias: z.boolean().default(false).describe("a bias for each item, with tieWordEmbeddings off"),
};

/** Settings of a model over item numbers, whatever its shape. */
export type ItemTrainingConfig = z.output<z.ZodObject<typeof itemTrainingFields>>;

/** Width of networks over item numbers. */
export const hiddenSize = count().default(64).describe("width of the stream");

/** Blocks of networks over item numbers. */
export const numHiddenLayers = (usual: number) => blocks().default(usual).describe("blocks");

/** Whether scores are products with the item embedding. */
export const tieWordEmbeddings = (usual: boolean) =>
  z.boolean().default(usual).describe("use the item embedding as output matrix");

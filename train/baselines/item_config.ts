import { z } from "zod";
import { decay, type EpochConfig, epochFields, share } from "../run/epoch_config.ts";
import type { NegativeSource, SequenceTargets } from "../run/item_sequences.ts";

/** How models over item numbers are trained; names as in Hugging Face's TrainingArguments. */
export interface ItemTrainingConfig extends EpochConfig {
  /** `softmax` over the catalogue, or `bce` against one sampled item, as SASRec's authors train. */
  loss: "softmax" | "bce";
  /** `bce`: sampled from the items that the sequence does not have, or from all other than the target. */
  negatives: NegativeSource;
  /** Factor of the distributionally robust term that is added to the loss (DROS, Yang et al. 2023); 0: none. */
  droWeight: number;
  /** Temperature that the term's squared errors are divided by: the lower, the more the worst one counts. */
  droTemperature: number;
  /** `all` items after the first of a sequence, or the `last` of a sequence a target, as the references train. */
  targets: SequenceTargets;
  /** Items of the longest history; older ones are left out. */
  maxLength: number;
  /** `softmax`: target mass spread over the catalogue. */
  labelSmoothing: number;
  /** Packed items of an optimizer step; of a part of it, where `batchSize` is not 0. */
  tokensPerBatch: number;
  /** Sequences of an optimizer step; 0: as many as `tokensPerBatch` holds. */
  batchSize: number;
  /** Standard deviation of fresh weights. */
  initializerRange: number;
  /** Whether items have a bias; the output matrix is one of its own then. */
  outputBias: boolean;
}

/** Fields of {@link ItemTrainingConfig} with their checks, defaults and the help of their flags. */
export const itemTrainingFields = {
  ...epochFields,
  loss: z.enum(["softmax", "bce"]).default("softmax").describe(
    "softmax over the catalogue, or binary cross-entropy against one sampled item;",
  ),
  negatives: z.enum(["unseen", "other"]).default("unseen").describe(
    "bce: drawn from items unseen in the sequence, or other than the target, as MiniOneRec and MIMIGenRec do;",
  ),
  droWeight: z.number().min(0).default(0).describe(
    "added to the loss times this: a distributionally robust term (DROS); 0: none",
  ),
  droTemperature: z.number().positive().default(1).describe(
    "temperature of the distributionally robust term",
  ),
  targets: z.enum(["all", "last"]).default("all").describe(
    "all: of a sequence a user, every item after the first; last: a sequence a target, as MiniOneRec and MIMIGenRec do;",
  ),
  maxLength: z.int().min(1).default(50).describe("items of the longest history; older ones are left out"),
  dropout: decay.default(0.3).describe("dropout rate"),
  labelSmoothing: share.default(0).describe("softmax: target mass spread over the catalogue"),
  numTrainEpochs: z.int().min(1).default(8).describe("passes over the train histories"),
  tokensPerBatch: z.int().min(1).default(256).describe("packed items of an optimizer step"),
  batchSize: z.int().min(0).default(0).describe(
    "sequences of an optimizer step, in parts of tokensPerBatch; 0: as many as one part holds",
  ),
  learningRate: z.number().positive().default(3e-3).describe("peak learning rate"),
  warmupSteps: z.int().min(0).default(50).describe("steps of linear warmup"),
  weightDecay: z.number().min(0).default(0.01).describe("decoupled weight decay on matrices"),
  initializerRange: z.number().positive().default(0.02).describe("standard deviation of fresh weights"),
  patience: z.int().min(0).default(5).describe(
    "epochs without a better valid NDCG@10 to stop after; 0: never",
  ),
  outputBias: z.boolean().default(false).describe("a bias for each item, with tieWordEmbeddings off"),
} satisfies { [K in keyof ItemTrainingConfig]: z.ZodType<ItemTrainingConfig[K]> };

import { z } from "zod";
import type { Sample } from "../../data/dataset.ts";
import { hitsAtK, mean, ndcgAtK } from "../../eval/metrics.ts";
import { type ItemModel, ItemScores } from "../../models/items/item_model.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import { writeSafetensors } from "../../models/safetensors/safetensors.ts";
import { learningRateAt } from "../../models/optimizer/schedule.ts";
import { trainerFiles, type TrainerState } from "../run/checkpoint.ts";
import { decay, type EpochConfig, epochFields, epochSchedule, share } from "../run/epoch_config.ts";
import { trainEpochs } from "../run/epoch_training.ts";
import { LossLog } from "../run/loss_log.ts";
import { PackedData } from "../run/packed_data.ts";
import { optimizerOptions } from "../run/optimizer_options.ts";
import { StepPlan } from "../run/step_plan.ts";
import { itemSequences, type NegativeSource, type SequenceTargets } from "../run/item_sequences.ts";
import { ItemStep } from "./item_step.ts";
import type { BaselineInput, BaselineResult } from "./method.ts";

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

/**
 * Trains a model over item numbers that has fresh weights, by {@link trainEpochs}.
 * @throws {DivergenceError} when losses or gradients are not finite.
 */
export async function trainItems(
  model: ItemModel,
  input: BaselineInput,
  config: ItemTrainingConfig,
): Promise<BaselineResult> {
  const { device, dataset, run, signal } = input;
  const source = itemSequences(dataset, config.maxLength, config.targets);
  const data = new PackedData(
    source,
    { tokensPerBatch: config.tokensPerBatch, gradientAccumulationSteps: 1, batchSize: config.batchSize },
    config.seed,
  );
  const epochs = config.numTrainEpochs;
  const plan = new StepPlan(data, { numTrainEpochs: epochs, maxSteps: 0, evalSteps: 0, saveSteps: 0 });
  const schedule = epochSchedule(config, plan.total);
  const optimizer = new Optimizer(model.parameters, optimizerOptions(config));
  const steps = Array.from({ length: epochs }, (_, epoch) => data.steps(epoch));
  const log = new LossLog(device, source.tasks, Math.max(...steps), data.capacity.rows);
  const training = new ItemStep(model, optimizer, data, config);
  const scores = new ItemScores(model);
  try {
    return await trainEpochs({
      device,
      optimizer,
      run,
      resume: input.resume,
      signal,
      steps,
      patience: config.patience,
      onStart: (done) =>
        input.onStart?.({
          parameters: model.parameters.count,
          sequences: data.epoch.sequences,
          targets: data.epoch.targets,
          steps: plan.total,
          done,
        }),
      learningRate: (step) => learningRateAt(step, schedule),
      step: (step, { i }, learningRate) => training.run(step, plan.microBatches(step), learningRate, log, i),
      async losses(steps) {
        const [sums] = await device.read(log.sums);
        const { loss, firstBad } = log.summary(sums, steps);
        return { loss, bad: firstBad !== undefined };
      },
      validate: () => validate(scores, dataset.samples.valid, signal),
      files: (state) => checkpointFiles(model, optimizer, state),
      onStep: input.onStep,
      onEpoch: input.onEpoch,
    });
  } finally {
    await device.settle(); // of a stopped run, work is in flight
    for (const part of [training, log, scores, optimizer]) part.destroy();
  }
}

/** Full ranking of the split; undefined where it is empty, or `signal` cut it short. */
async function validate(scores: ItemScores, samples: readonly Sample[], signal: AbortSignal) {
  if (samples.length === 0) return undefined;
  const ranks: number[] = [];
  for await (const list of scores.of(samples.map(({ history }) => history))) {
    if (signal.aborted) return undefined;
    ranks.push(rankOf(list, samples[ranks.length].target));
  }
  return { hr10: mean(hitsAtK(ranks, 10)), ndcg10: mean(ndcgAtK(ranks, 10)) };
}

/** Place of an item among all, best score first, from 0; equal scores in the order of item numbers. */
export function rankOf(scores: Float32Array, item: number): number {
  const own = scores[item];
  let rank = 0;
  for (let other = 0; other < scores.length; other++) {
    if (scores[other] > own || scores[other] === own && other < item) rank++;
  }
  return rank;
}

/** `config.json`, `model.safetensors` (averaged weights where EMA is on), and what training needs to go on. */
async function* checkpointFiles(
  model: ItemModel,
  optimizer: Optimizer,
  state: TrainerState,
): AsyncGenerator<ModelFile> {
  const text = (content: string) => new TextEncoder().encode(content);
  const tensors = new Map();
  for await (const { name, ...tensor } of model.parameters.readTensors(optimizer.average)) {
    tensors.set(name, tensor);
  }
  yield { name: "config.json", bytes: text(JSON.stringify(model.shape, null, 2) + "\n") };
  yield { name: "model.safetensors", bytes: writeSafetensors(tensors) };
  yield* trainerFiles(optimizer, state);
}

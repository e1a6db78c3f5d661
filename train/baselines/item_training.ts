import type { Sample } from "../../data/dataset.ts";
import { hitsAtK, mean, ndcgAtK } from "../../eval/metrics.ts";
import { type ItemModel, ItemScores } from "../../models/items/item_model.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import { networkFiles } from "../run/checkpoint.ts";
import { epochRun, trainEpochs } from "../run/epoch_training.ts";
import { LossLog } from "../run/loss_log.ts";
import { PackedData } from "../run/packed_data.ts";
import { optimizerOptions, sharedMoments } from "../run/optimizer_options.ts";
import { itemSequences } from "../run/item_sequences.ts";
import type { ItemTrainingConfig } from "./item_config.ts";
import { ItemStep } from "./item_step.ts";
import { checkDealt, dealStep } from "../ranks/dealt_step.ts";
import { type DealtPart, gatherParts } from "../../base/parallel/gather_parts.ts";
import { ALONE, type World } from "../../base/parallel/world.ts";
import type { BaselineInput, BaselineResult } from "./method.ts";

/**
 * Trains a model over item numbers that has fresh weights, by {@link trainEpochs}.
 * @throws {DivergenceError} when losses or gradients are not finite.
 */
export async function trainItems(
  model: ItemModel,
  input: BaselineInput,
  config: ItemTrainingConfig,
): Promise<BaselineResult> {
  const { device, dataset, signal, world = ALONE } = input;
  const source = itemSequences(dataset, config.maxLength, config.targets);
  const data = new PackedData(
    source,
    { tokensPerBatch: config.tokensPerBatch, gradientAccumulationSteps: 1, batchSize: config.batchSize },
    config.seed,
  );
  const steps = Array.from({ length: config.numTrainEpochs }, (_, epoch) => data.steps(epoch));
  const totalSteps = steps.reduce((sum, count) => sum + count, 0);
  const optimizer = new Optimizer(model.parameters, optimizerOptions(config), sharedMoments(config, world));
  const microBatches = Math.max(...steps.map((_, epoch) => data.mostMicroBatches(epoch)));
  checkDealt(microBatches, world, "a larger --batch-size or a smaller --tokens-per-batch");
  const size = { steps: Math.max(...steps), rows: data.capacity.rows, microBatches };
  const log = new LossLog(device, source.tasks, size, world);
  const training = new ItemStep(model, optimizer, data, { config, microBatches, world });
  const scores = new ItemScores(model);
  try {
    return await trainEpochs({
      ...epochRun(input, config, steps),
      optimizer,
      onStart: (done) =>
        input.onStart?.({
          parameters: model.parameters.count,
          sequences: data.epoch.sequences,
          targets: data.epoch.targets,
          steps: totalSteps,
          done,
        }),
      async step(step, { epoch, i }, learningRate) {
        const dealt = await dealStep(world, {
          count: data.microBatchCount(epoch, i),
          make: (first, end) => data.microBatches(epoch, i, first, end),
          tasks: source.tasks.length,
          isStopped: signal.aborted,
        });
        await training.run(step, dealt, learningRate, log, i);
      },
      async losses(steps, epoch) {
        const [sums] = await device.read(log.sums);
        const { loss, firstBad } = await log.summary(sums, steps);
        let tokens = 0;
        for (let i = 0; i < steps; i++) tokens += data.tokens(epoch, i);
        return { loss, terms: { tokens }, bad: firstBad !== undefined };
      },
      validate: (signal) => validate(scores, dataset.samples.valid, signal, world),
      files: (state) => networkFiles(model, optimizer, state),
    });
  } finally {
    await device.settle(); // of a stopped run, work is in flight
    for (const part of [training, log, scores, optimizer]) part.destroy();
  }
}

/** Full ranking of the split, whose batches are dealt to ranks; undefined where it is empty, or `signal` cut it short. */
async function validate(
  scores: ItemScores,
  samples: readonly Sample[],
  signal: AbortSignal,
  world: World,
) {
  if (samples.length === 0) return undefined;
  const found: DealtPart<number>[] = [];
  for await (const { first, lists } of scores.dealt(samples.map(({ history }) => history), world)) {
    if (signal.aborted) break;
    found.push({ first, results: lists.map((list, i) => rankOf(list, samples[first + i].target)) });
  }
  const ranks = await gatherParts(world, found);
  if (ranks.length < samples.length) return undefined;
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

import { DeviceTrie } from "../../decode/device_trie.ts";
import { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import { learningRateAt, type Schedule, scheduleOf } from "../../models/optimizer/schedule.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import { buildTrie } from "../../sid/trie.ts";
import { TermLog } from "../../sid/quantizer/term_log.ts";
import type { BaselineInput, BaselineResult } from "../baselines/method.ts";
import { retrievalFiles } from "../encoder_decoder/retrieval.ts";
import { loadOptimizer, optimizerFile } from "../run/checkpoint.ts";
import { trainEpochs } from "../run/epoch_training.ts";
import { optimizerOptions } from "../run/optimizer_options.ts";
import { encoderDecoderConfig } from "../encoder_decoder/pair_config.ts";
import {
  encoderRows,
  meanLosses,
  openPairData,
  pairCheckpoint,
  pairValidation,
} from "../encoder_decoder/pair_training.ts";
import { round } from "../../base/round.ts";
import { changedItems, codeTable, type Conflicts, tokenStrings } from "./code_table.ts";
import { type EtegrecConfig, trainsTokenizer } from "./config.ts";
import { adapterSpecs, JointStep } from "./joint_step.ts";
import { ItemTokenizer, type StoredItemTokenizer } from "./tokenizer.ts";

/** What joint training starts from. */
export interface JointInput extends BaselineInput {
  /** Vectors of all items. */
  vectors: Embeddings;
  /** The tokenizer before it. */
  start: StoredItemTokenizer;
  /** Called after an epoch of the tokenizer has given items other SIDs. */
  onCodes?(epoch: number, changed: number, conflicts: Conflicts): void;
}

/** Learning rates of the two phases, each of its own steps alone. */
export class PhaseSchedules {
  readonly #config: EtegrecConfig;
  readonly #before: number[] = [];
  readonly #schedules: { tokenizer: Schedule; recommender: Schedule };

  /** `steps` are those of each epoch. */
  constructor(steps: readonly number[], config: EtegrecConfig) {
    const totals = { tokenizer: 0, recommender: 0 };
    this.#config = config;
    steps.forEach((count, epoch) => {
      const phase = this.phaseOf(epoch);
      this.#before.push(totals[phase]);
      totals[phase] += count;
    });
    this.#schedules = {
      // The tokenizer has one epoch of a cycle, and of the warmup too.
      tokenizer: scheduleOf({
        ...config,
        learningRate: config.tokenizerLearningRate,
        warmupSteps: Math.floor(config.warmupSteps / config.cycle),
      }, totals.tokenizer),
      recommender: scheduleOf(config, totals.recommender),
    };
  }

  /** Which of the two an epoch (from 0) trains. */
  phaseOf(epoch: number): "tokenizer" | "recommender" {
    return trainsTokenizer(epoch, this.#config) ? "tokenizer" : "recommender";
  }

  /** Steps of its phase before step `i` of an epoch. */
  stepOf(epoch: number, i: number): number {
    return this.#before[epoch] + i;
  }

  /** Learning rate of step `i` of an epoch. */
  learningRate(epoch: number, i: number): number {
    return learningRateAt(this.stepOf(epoch, i), this.#schedules[this.phaseOf(epoch)]);
  }
}

/**
 * Trains a tokenizer and a recommender in turns (ETEGRec, arXiv:2409.05546, section 3.4), by `trainEpochs()`. SIDs are
 * made anew after every epoch of the tokenizer; a checkpoint holds both and their SIDs.
 * @throws {DivergenceError} when losses or gradients are not finite.
 * @throws {UserError} where items of equal codes are too many to be told apart.
 */
export async function trainJoint(input: JointInput, config: EtegrecConfig): Promise<BaselineResult> {
  const { device, dataset, vectors, signal } = input;
  const tokenizer = new ItemTokenizer(device, vectors, input.start);
  const { shape } = tokenizer.model;
  let table = await codeTable(tokenizer, config);
  let trie = new DeviceTrie(device, buildTrie(table.tokens.itemTokens));
  const recode = async () => {
    table = await codeTable(tokenizer, config);
    trie.destroy();
    trie = new DeviceTrie(device, buildTrie(table.tokens.itemTokens));
  };
  const model = new EncoderDecoder(device, encoderDecoderConfig(config, table.tokens.sizes), {
    extra: adapterSpecs(config.dModel, shape.latentWidth, shape.width),
  });
  model.initialize(config.seed, config.initializerRange);
  const data = openPairData(model, table.tokens, dataset, config);
  const steps = Array.from({ length: config.numTrainEpochs }, (_, epoch) => data.steps(epoch));
  const schedules = new PhaseSchedules(steps, config);
  const options = optimizerOptions(config);
  const optimizers = {
    recommender: new Optimizer(model.parameters, options),
    tokenizer: new Optimizer(tokenizer.model.parameters, { ...options, emaDecay: 0 }),
  };
  const most = Math.max(...steps);
  const logs = { recommender: new TermLog(device, most), tokenizer: new TermLog(device, most) };
  const joint = new JointStep(
    {
      recommender: model,
      recommenderOptimizer: optimizers.recommender,
      tokenizer,
      tokenizerOptimizer: optimizers.tokenizer,
      capacity: data.capacity,
      tokensPerItem: table.tokens.longest,
    },
    encoderRows(data, table.tokens, 0),
    config,
  );
  const isAligned = (epoch: number) =>
    epoch >= config.warmEpochs && (config.siaWeight > 0 || config.psaWeight > 0);

  /** Codes all items anew; what the log says of it. */
  const refreshCodes = async (epoch: number) => {
    const before = table;
    await recode();
    const changed = changedItems(before, table);
    const { largest, share, distinct } = table.conflicts;
    input.onCodes?.(epoch + 1, changed, table.conflicts);
    return { changedItems: changed, conflictShare: round(share, 5), largestConflict: largest, distinct };
  };

  try {
    return await trainEpochs({
      device,
      optimizer: optimizers.recommender,
      optimizerOf: (epoch) => optimizers[schedules.phaseOf(epoch)],
      run: input.run,
      resume: input.resume,
      signal,
      steps,
      patience: config.patience,
      onStart: (done) =>
        input.onStart?.({
          parameters: model.parameters.count + tokenizer.model.parameters.count,
          sequences: data.epoch.groups,
          targets: data.epoch.targets,
          steps: steps.reduce((sum, count) => sum + count, 0),
          done,
        }),
      async restore(folder) {
        const path = `${folder}/${TOKENIZER_TRAINER}`;
        optimizers.tokenizer.restore(await loadOptimizer(path), path);
        await recode();
      },
      learningRate: (_, { epoch, i }) => schedules.learningRate(epoch, i),
      step(_, { epoch, i }, learningRate) {
        if (i === 0) joint.resize(encoderRows(data, table.tokens, epoch));
        const batch = {
          step: schedules.stepOf(epoch, i),
          groups: data.groups(epoch, i),
          itemTokens: table.tokens.itemTokens,
          trie,
          learningRate,
          aligned: isAligned(epoch),
        };
        if (trainsTokenizer(epoch, config)) joint.trainTokenizer(batch, logs.tokenizer);
        else joint.trainRecommender(batch, logs.recommender);
      },
      async losses(_, epoch) {
        const phase = schedules.phaseOf(epoch);
        const { terms, ...losses } = await meanLosses(logs[phase]);
        const codes = phase === "tokenizer" && !losses.bad ? await refreshCodes(epoch) : {};
        return { ...losses, terms: { phase, ...terms, ...codes } };
      },
      validates: (epoch) => (epoch + 1) % config.evalEpochs === 0 || epoch + 1 === steps.length,
      async validate() {
        const validation = pairValidation(device, table.tokens, dataset, config);
        try {
          return await validation?.quality(model, signal);
        } finally {
          validation?.destroy();
        }
      },
      async *files(state) {
        const sids = retrievalFiles(tokenStrings(table), config);
        const companions = [...sids, ...await tokenizer.files()];
        yield* pairCheckpoint({ model, optimizer: optimizers.recommender, state, companions });
        yield await optimizerFile(TOKENIZER_TRAINER, optimizers.tokenizer);
      },
      onStep: input.onStep,
      onEpoch: input.onEpoch,
    });
  } finally {
    await device.settle(); // of a stopped run, work is in flight
    const parts = [joint, trie, ...Object.values(optimizers), ...Object.values(logs), model, tokenizer];
    for (const part of parts) part.destroy();
  }
}

const TOKENIZER_TRAINER = "rqvae.trainer.safetensors";

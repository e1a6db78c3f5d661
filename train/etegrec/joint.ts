import { ALONE, type World } from "../../base/parallel/world.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { EncoderDecoder } from "../../models/encoder_decoder/encoder_decoder.ts";
import type { SavedFile } from "../../models/hugging_face/saved_file.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { Parameters } from "../../models/parameters/parameters.ts";
import { learningRateAt, type Schedule, scheduleOf } from "../../models/optimizer/schedule.ts";
import type { Embeddings } from "../../sid/embeddings.ts";
import { buildTrie } from "../../sid/trie.ts";
import { TermLog } from "../../sid/quantizer/term_log.ts";
import type { BaselineEpoch, BaselineInput, BaselineResult } from "../baselines/method.ts";
import { retrievalFiles } from "../encoder_decoder/retrieval.ts";
import { checkDealt } from "../ranks/dealt_step.ts";
import { openOptimizer, optimizerFile } from "../run/checkpoint.ts";
import type { TrainerState } from "../run/loss_log.ts";
import { type EpochLosses, type EpochPlace, type EpochTraining, trainEpochs } from "../run/epoch_training.ts";
import type { RunDirectory } from "../run/directory.ts";
import { optimizerOptions, sharedMoments } from "../run/optimizer_options.ts";
import type { PairData } from "../encoder_decoder/pair_data.ts";
import { encoderDecoderConfig } from "../encoder_decoder/pair_config.ts";
import {
  encoderRows,
  meanLosses,
  openPairData,
  pairCheckpoint,
  pairValidation,
} from "../encoder_decoder/pair_training.ts";
import { round } from "../../base/round.ts";
import { changedItems, type CodeTable, codeTable, type Conflicts, tokenStrings } from "./code_table.ts";
import { alignmentWeights, type EtegrecConfig, trainsTokenizer } from "./config.ts";
import { adapterSpecs, JointStep } from "./joint_step.ts";
import { ItemTokenizer, type StoredItemTokenizer } from "./item_tokenizer.ts";

/** What joint training starts from. */
export interface JointInput extends BaselineInput {
  /** Vectors of all items. */
  vectors: Embeddings;
  /** The tokenizer before it. */
  start: StoredItemTokenizer;
  /** What it says of the items; default: made of it. */
  codes?: CodeTable;
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
        warmupSteps: config.warmupSteps < 1
          ? config.warmupSteps
          : Math.floor(config.warmupSteps / config.cycle),
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
  const tokenizer = new ItemTokenizer(input.device, input.vectors, input.start);
  const table = input.codes ?? await codeTable(tokenizer, config);
  const training = new JointTraining(input, config, tokenizer, table);
  try {
    return await trainEpochs(training);
  } finally {
    await input.device.settle(); // of a stopped run, work is in flight
    training.destroy();
  }
}

const TOKENIZER_TRAINER = "rqvae.trainer.safetensors";

/** What is joint training's own in {@link trainEpochs}. */
class JointTraining implements EpochTraining {
  readonly device: Device;
  readonly optimizer: Optimizer;
  readonly run: RunDirectory;
  readonly resume: boolean;
  readonly signal: AbortSignal;
  readonly world: World;
  readonly sharesMoments: boolean;
  readonly alsoTrained: readonly Parameters[];
  readonly openObserver: BaselineInput["openObserver"];
  readonly rehearsed: BaselineInput["rehearsed"];
  readonly steps: readonly number[];
  readonly patience: number;
  #input: JointInput;
  #config: EtegrecConfig;
  #tokenizer: ItemTokenizer;
  #model: EncoderDecoder;
  #data: PairData;
  #schedules: PhaseSchedules;
  #optimizers: { recommender: Optimizer; tokenizer: Optimizer };
  #logs: { recommender: TermLog; tokenizer: TermLog };
  #step: JointStep;
  /** SIDs as they are now, and the same as a trie. */
  #table: CodeTable;
  #trie: DeviceTrie;

  constructor(input: JointInput, config: EtegrecConfig, tokenizer: ItemTokenizer, table: CodeTable) {
    const { device, dataset, run, resume, signal, world = ALONE } = input;
    const { gradientAccumulationSteps: microBatches } = config;
    checkDealt(microBatches, world, `--gradient-accumulation-steps ${microBatches * world.size}`);
    const { shape, parameters } = tokenizer.model;
    this.#input = input;
    this.world = world;
    this.sharesMoments = config.zeroStage > 0;
    this.alsoTrained = [parameters];
    this.openObserver = input.openObserver;
    this.rehearsed = input.rehearsed;
    this.#config = config;
    this.#tokenizer = tokenizer;
    this.#table = table;
    this.#trie = new DeviceTrie(device, buildTrie(table.tokens.itemTokens));
    this.#model = new EncoderDecoder(device, encoderDecoderConfig(config, table.tokens.sizes), {
      extra: adapterSpecs(config.dModel, shape.latentWidth, shape.width),
    });
    this.#model.initialize(config.seed, config.initializerRange);
    this.#data = openPairData(this.#model, table.tokens, dataset, config);
    this.steps = Array.from({ length: config.numTrainEpochs }, (_, epoch) => this.#data.steps(epoch));
    this.#schedules = new PhaseSchedules(this.steps, config);
    const options = optimizerOptions(config), shared = sharedMoments(config, world);
    this.#optimizers = {
      recommender: new Optimizer(this.#model.parameters, options, shared),
      tokenizer: new Optimizer(parameters, { ...options, emaDecay: 0 }, shared),
    };
    const most = Math.max(...this.steps) * microBatches;
    this.#logs = { recommender: new TermLog(device, most), tokenizer: new TermLog(device, most) };
    this.#step = new JointStep(
      {
        recommender: this.#model,
        recommenderOptimizer: this.#optimizers.recommender,
        tokenizer,
        tokenizerOptimizer: this.#optimizers.tokenizer,
        capacity: this.#data.capacity,
        tokensPerItem: table.tokens.longest,
        microBatches,
        world,
      },
      encoderRows(this.#data, table.tokens, 0),
      config,
    );
    this.device = device;
    this.optimizer = this.#optimizers.recommender;
    this.run = run;
    this.resume = resume;
    this.signal = signal;
    this.patience = config.patience;
  }

  optimizerOf(epoch: number): Optimizer {
    return this.#optimizers[this.#schedules.phaseOf(epoch)];
  }

  async onStart(done: number): Promise<void> {
    const { groups: sequences, targets } = this.#data.epoch;
    await this.#input.onStart?.({
      parameters: this.#model.parameters.count + this.#tokenizer.model.parameters.count,
      sequences,
      targets,
      steps: this.steps.reduce((sum, count) => sum + count, 0),
      done,
    });
  }

  async restore(folder: string): Promise<void> {
    const path = `${folder}/${TOKENIZER_TRAINER}`;
    await this.#optimizers.tokenizer.restore(await openOptimizer(path), path);
    await this.#recode();
  }

  learningRate(_: number, { epoch, i }: EpochPlace): number {
    return this.#schedules.learningRate(epoch, i);
  }

  async step(_: number, { epoch, i }: EpochPlace, learningRate: number): Promise<void> {
    const { tokens } = this.#table;
    const phase = this.#schedules.phaseOf(epoch);
    const weights = alignmentWeights(this.#config, phase);
    const aligned = epoch >= this.#config.warmEpochs && (weights.sia > 0 || weights.psa > 0);
    if (i === 0) this.#step.resize(encoderRows(this.#data, tokens, epoch));
    const batch = {
      step: this.#schedules.stepOf(epoch, i),
      micro: this.#data.groups(epoch, i),
      itemTokens: tokens.itemTokens,
      trie: this.#trie,
      learningRate,
      weights: aligned ? weights : undefined,
    };
    if (phase === "tokenizer") {
      await this.#step.trainTokenizer(batch, this.#logs.tokenizer);
    } else await this.#step.trainRecommender(batch, this.#logs.recommender);
  }

  async losses(steps: number, epoch: number): Promise<EpochLosses> {
    const phase = this.#schedules.phaseOf(epoch);
    const { terms, ...losses } = await meanLosses(this.#logs[phase], steps, this.world);
    const tokens = this.#data.tokens(epoch, this.#table.tokens.itemTokens);
    const codes = phase === "tokenizer" && !losses.bad ? await this.#refreshCodes(epoch) : {};
    return { ...losses, terms: { phase, ...terms, ...codes, tokens } };
  }

  validates(epoch: number): boolean {
    return (epoch + 1) % this.#config.evalEpochs === 0;
  }

  async validate(signal: AbortSignal): Promise<{ hr10: number; ndcg10: number } | undefined> {
    const { device, dataset } = this.#input;
    const validation = pairValidation(device, this.#table.tokens, dataset, {
      ...this.#config,
      world: this.world,
    });
    try {
      return await validation?.quality(this.#model, signal);
    } finally {
      validation?.destroy();
    }
  }

  async *files(state: TrainerState): AsyncGenerator<SavedFile> {
    const sids = retrievalFiles(tokenStrings(this.#table), this.#config);
    const companions = [...sids, ...await this.#tokenizer.files()];
    yield* pairCheckpoint({ model: this.#model, optimizer: this.optimizer, state, companions });
    yield await optimizerFile(TOKENIZER_TRAINER, this.#optimizers.tokenizer);
  }

  onStep(step: number): void {
    this.#input.onStep?.(step);
  }

  onEpoch(epoch: BaselineEpoch): void {
    this.#input.onEpoch?.(epoch);
  }

  /** Frees everything on the device. */
  destroy(): void {
    const { recommender, tokenizer } = this.#optimizers;
    const logs = Object.values(this.#logs);
    const parts = [this.#step, this.#trie, recommender, tokenizer, ...logs, this.#model, this.#tokenizer];
    for (const part of parts) part.destroy();
  }

  /** Codes all items anew; what the log says of it. */
  async #refreshCodes(epoch: number): Promise<Record<string, number>> {
    const before = this.#table;
    await this.#recode();
    const { conflicts } = this.#table;
    const { largest, share, distinct } = conflicts;
    const changed = changedItems(before, this.#table);
    this.#input.onCodes?.(epoch + 1, changed, conflicts);
    return { changedItems: changed, conflictShare: round(share, 5), largestConflict: largest, distinct };
  }

  async #recode(): Promise<void> {
    this.#table = await codeTable(this.#tokenizer, this.#config);
    this.#trie.destroy();
    this.#trie = new DeviceTrie(this.device, buildTrie(this.#table.tokens.itemTokens));
  }
}

import { round } from "../../base/round.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { heldState, Optimizer } from "../../models/optimizer/optimizer.ts";
import { learningRateAt, type Schedule, scheduleOf } from "../../models/optimizer/schedule.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import { RqVae, type RqVaeShape } from "../../models/quantizer/rq_vae.ts";
import { freshState, type TrainingState } from "../../models/training/state.ts";
import {
  type Timetable,
  train,
  type Training,
  type TrainingStore,
  type Validated,
} from "../../models/training/loop.ts";
import { type Embeddings, pickRows } from "../embeddings.ts";
import type { OpenFitStore, SidProgress } from "../method.ts";
import { shuffledBatches, splitItems } from "./item_batches.ts";
import { kmeansCodebooks, reviveCodewords } from "./codebooks.ts";
import { codeRows, latentsOf } from "./codes.ts";
import { CRITERIA, type Criterion, type QuantizerConfig } from "./config.ts";
import { codePaths, evaluateCodes, isBetter, type QuantizerEvaluation } from "./evaluation.ts";
import type { QuantizerHooks } from "./hooks.ts";
import {
  type Kept,
  progressFiles,
  type QuantizerProgress,
  readProgress,
  type WrittenProgress,
} from "./kept_state.ts";
import { AutoencoderStep } from "./step.ts";
import { TermLog } from "./term_log.ts";

/** How training starts and what it changes of the plain method. */
export interface QuantizerOptions {
  hooks?: QuantizerHooks;
  /** Replaces fresh weights, codebooks included: then there is no k-means start. */
  initial?(fresh: TensorMap): TensorMap | Promise<TensorMap>;
  onProgress?(progress: SidProgress): void;
  /** Where it is kept and logged. Default: nowhere. */
  openStore?: OpenFitStore;
}

/** What training gave. */
export interface TrainedQuantizer {
  /** Weights of the best epoch by each criterion; those of `config.keep` are the ones to use. */
  checkpoints: Record<Criterion, TensorMap>;
  /** That epoch. */
  kept: QuantizerEvaluation;
  /** The best epoch by each criterion. */
  best: Record<Criterion, QuantizerEvaluation>;
  /** Epochs trained, and why no more. */
  epochs: number;
  stopped: "finished" | "early";
  /** Codewords moved because nothing used them. */
  revived: number;
}

// Steps between waits for the device, which also let a stop signal be heard.
const READ_EVERY = 20;

/**
 * Trains an autoencoder with residual codebooks on normalised inputs (N, width), by {@link train}: AdamW, k-means start,
 * unused codewords revived at every evaluation, the best evaluation's weights kept. Nothing is read back within a step.
 * @throws {UserError} if the loss is not finite, or the levels have not one Sinkhorn epsilon each.
 */
export async function trainQuantizer(
  device: Device,
  data: Embeddings,
  shape: RqVaeShape,
  config: QuantizerConfig,
  options: QuantizerOptions = {},
): Promise<TrainedQuantizer> {
  const { codebookSizes: { length: levels } } = shape;
  const epsilons = config.sinkhornEpsilons.length;
  if (epsilons > 0 && epsilons !== levels) {
    throw new UserError(
      `Cannot train ${levels} levels with ${epsilons} numbers in --sinkhorn-epsilons: expected one a level`,
    );
  }
  const training = new QuantizerTraining(device, data, shape, config, options);
  try {
    const { stopped } = await train(training);
    return training.result(stopped === "early" ? "early" : "finished");
  } finally {
    training.destroy();
  }
}

/** What is a quantiser's own in {@link train}. It is measured by whole epochs, the fewest collisions being the best. */
class QuantizerTraining implements Training<TrainingState>, Timetable {
  readonly fresh = freshState();
  readonly plan = this;
  readonly patience: number;
  readonly store?: TrainingStore<TrainingState>;
  #device: Device;
  #data: Embeddings;
  #config: QuantizerConfig;
  #options: QuantizerOptions;
  /** Rows to train on, and rows held out. */
  #rows: { items: Uint32Array; unseen: Uint32Array };
  #batchSize: number;
  #stepsPerEpoch: number;
  #schedule: Schedule;
  #model: RqVae;
  #optimizer: Optimizer;
  #step: AutoencoderStep;
  #log: TermLog;
  /** The epoch that runs or has just ended, its batches, and how many of them are done. */
  #epoch = -1;
  #batches: Uint32Array[] = [];
  #done = 0;
  /** Losses of the steps since the last evaluation. */
  #losses = new Map<string, number[]>();
  /** Codes of every item at the last evaluation. */
  #paths: string[] | undefined;
  #best: Partial<Record<Criterion, Kept>> = {};
  #revived = 0;
  /** The last evaluation, for people. */
  #told = "start";

  constructor(
    device: Device,
    data: Embeddings,
    shape: RqVaeShape,
    config: QuantizerConfig,
    options: QuantizerOptions,
  ) {
    const { hooks = {} } = options;
    this.patience = config.patience;
    this.#device = device;
    this.#data = data;
    this.#config = config;
    this.#options = options;
    this.#rows = splitItems(data.rows, config.holdOut, config.seed);
    this.#batchSize = Math.min(config.batchSize, this.#rows.items.length);
    this.#stepsPerEpoch = this.#batchesOf(0).length;
    const warmupSteps = config.warmupEpochs * this.#stepsPerEpoch;
    this.#schedule = scheduleOf({ ...config, warmupSteps }, config.epochs * this.#stepsPerEpoch);
    this.#model = new RqVae(device, shape, hooks.parameters);
    this.#optimizer = new Optimizer(this.#model.parameters, {
      beta1: 0.9,
      beta2: 0.999,
      eps: 1e-8,
      weightDecay: config.weightDecay,
      maxGradNorm: config.maxGradNorm,
      emaDecay: 0,
    });
    this.#log = new TermLog(device, READ_EVERY);
    this.#step = new AutoencoderStep({
      device,
      model: this.#model,
      optimizer: this.#optimizer,
      data,
      batchSize: this.#batchSize,
      hooks,
      log: this.#log,
    }, config);
    this.store = options.openStore?.({
      files: (state) => progressFiles(this.#progress(state)),
      load: async (folder, read) => this.#goOn(await readProgress(folder, read), folder),
    });
  }

  /** What it has given once it has ended. */
  result(stopped: TrainedQuantizer["stopped"]): TrainedQuantizer {
    const best = this.#best as Record<Criterion, Kept>;
    const each = <T>(value: (kept: Kept) => T) =>
      Object.fromEntries(CRITERIA.map((criterion) => [criterion, value(best[criterion])])) as Record<
        Criterion,
        T
      >;
    return {
      checkpoints: each(({ tensors }) => tensors),
      kept: best[this.#config.keep].evaluation,
      best: each(({ evaluation }) => evaluation),
      epochs: this.#epochsDone,
      stopped,
      revived: this.#revived,
    };
  }

  isOver(): boolean {
    return this.#epochsDone === this.#config.epochs;
  }

  isLog(): boolean {
    return this.#log.full;
  }

  isEvaluation(): boolean {
    return this.#isBetweenEpochs && this.#epochsDone % this.#config.evalEpochs === 0;
  }

  /** At evaluations, where nothing is pending: losses are read, and codewords revived. */
  isSave(): boolean {
    return this.isEvaluation();
  }

  /** Fresh weights, and codebooks from k-means, for one that does not go on. */
  async onStart({ step }: TrainingState): Promise<void> {
    if (step > 0) return this.#tell(this.#epochsDone);
    const { initial } = this.#options;
    const { codebookStart, seed, startIterations: iterations } = this.#config;
    const { codebookSizes, latentWidth } = this.#model.shape;
    const fresh = this.#model.initial(seed);
    this.#model.load(await initial?.(fresh) ?? fresh, "fresh weights");
    if (initial || codebookStart === "uniform") return;
    const some = codebookStart === "kmeans" ? this.#rows.items : this.#batchesOf(0)[0];
    const start = {
      data: pickRows(this.#data.data, some, this.#data.dim),
      rows: some.length,
      dim: this.#data.dim,
    };
    const latents = { data: await latentsOf(this.#model, start), rows: some.length, dim: latentWidth };
    const codebooks = await kmeansCodebooks(this.#device, latents, codebookSizes, { iterations, seed });
    this.#model.load(new Map([...fresh, ...codebooks]), "fresh weights");
  }

  async step({ step }: TrainingState): Promise<void> {
    if (this.#isBetweenEpochs) {
      this.#epoch++;
      await this.#options.hooks?.beforeEpoch?.(this.#epoch, this.#model);
      this.#batches = this.#batchesOf(this.#epoch);
      this.#done = 0;
    }
    const items = this.#batches[this.#done++];
    const learningRate = learningRateAt(step, this.#schedule);
    this.#step.run({ step, epoch: this.#epoch, items, learningRate });
  }

  /** Nothing is written, but losses have to be read before their room is full. */
  async log(): Promise<void> {
    if (!this.#log.full) return;
    await this.#readLosses();
    this.#tell(this.#epoch);
  }

  async validate({ step, seconds }: TrainingState): Promise<Validated> {
    await this.#readLosses();
    const { codebookSizes } = this.#model.shape;
    const ofEpoch = (losses: number[]) =>
      losses.slice(-this.#stepsPerEpoch).reduce((sum, value) => sum + value, 0) / this.#stepsPerEpoch;
    const loss = ofEpoch(totals(this.#losses));
    await this.store?.log(step, {
      epoch: this.#epochsDone,
      loss: round(loss, 5),
      ...Object.fromEntries(
        Array.from(this.#losses, ([term, losses]) => [term, round(ofEpoch(losses), 5)]),
      ),
      learningRate: learningRateAt(step - 1, this.#schedule),
      seconds: round(seconds, 1),
    });
    this.#losses.clear();
    const coded = await codeRows(this.#model, this.#data);
    const facts = { epoch: this.#epochsDone, loss };
    const evaluation = evaluateCodes(coded, codebookSizes, facts, this.#rows.unseen);
    await this.#keep(evaluation);
    const { resetDeadCodes, uniquenessWeight } = this.#config;
    if (uniquenessWeight > 0) this.#paths = codePaths(coded.codes, codebookSizes.length);
    if (resetDeadCodes && !this.isOver() && evaluation.usage.some((share) => share < 1)) {
      this.#revived += await revive(this.#model, this.#optimizer, this.#data, coded.codes, this.#rows.items);
    }
    this.#told = toldOf(evaluation);
    return { score: -evaluation.collisionRate, valid: evaluation };
  }

  onValidation(): void {
    this.#tell(this.#epochsDone);
  }

  /** Frees everything on the device. */
  destroy(): void {
    for (const part of [this.#optimizer, this.#step, this.#log, this.#model]) part.destroy();
  }

  get #isBetweenEpochs(): boolean {
    return this.#done === this.#batches.length;
  }

  get #epochsDone(): number {
    return this.#isBetweenEpochs ? this.#epoch + 1 : this.#epoch;
  }

  #batchesOf(epoch: number): Uint32Array[] {
    const { items } = this.#rows;
    return this.#options.hooks?.batches?.(epoch, items, this.#paths) ??
      shuffledBatches(items, this.#batchSize, this.#config.seed, epoch, this.#paths);
  }

  #tell(done: number): void {
    const kept = CRITERIA.length * 4 * this.#model.parameters.length;
    this.#options.onProgress?.({ done, total: this.#config.epochs, state: this.#told, kept });
  }

  async #readLosses(): Promise<void> {
    const read = await this.#log.read();
    for (const [term, losses] of read) {
      this.#losses.set(term, [...this.#losses.get(term) ?? [], ...losses]);
    }
    const loss = totals(read).at(-1);
    if (loss === undefined || Number.isFinite(loss)) return;
    throw new UserError(
      `Cannot train the quantiser: the loss is ${loss} in epoch ${this.#epoch + 1}, expected a finite one. ` +
        "Use a lower --learning-rate, or --normalize center",
    );
  }

  #progress(state: TrainingState): WrittenProgress {
    return {
      state,
      epochs: this.#epochsDone,
      revived: this.#revived,
      paths: this.#paths,
      hooks: this.#options.hooks?.state?.() ?? [],
      best: this.#best as Record<Criterion, Kept>,
      optimizer: this.#optimizer,
    };
  }

  async #goOn(progress: QuantizerProgress, folder: string): Promise<TrainingState> {
    const { state, epochs, revived, paths, hooks, best, optimizer } = progress;
    this.#epoch = epochs - 1;
    this.#revived = revived;
    this.#paths = paths;
    this.#best = { ...best };
    this.#options.hooks?.restore?.(hooks);
    await this.#optimizer.restore(heldState(optimizer), folder);
    const last = CRITERIA.map((criterion) => best[criterion].evaluation).sort((a, b) => b.epoch - a.epoch)[0];
    this.#told = toldOf(last);
    return state;
  }

  /** Keeps the weights where they are the best so far by any criterion. */
  async #keep(evaluation: QuantizerEvaluation): Promise<void> {
    const improved = CRITERIA.filter((criterion) => {
      const before = this.#best[criterion]?.evaluation;
      return before === undefined || isBetter(evaluation, before, criterion);
    });
    if (improved.length === 0) return;
    const tensors = await this.#model.tensors();
    for (const criterion of improved) this.#best[criterion] = { evaluation, tensors };
  }
}

/** An evaluation in short, for people. */
function toldOf({ loss, collisionRate }: QuantizerEvaluation): string {
  return `loss ${loss.toPrecision(4)}, collisions ${(100 * collisionRate).toFixed(2)} %`;
}

/** Loss of each step: its terms added up. */
function totals(terms: Map<string, number[]>): number[] {
  const sums: number[] = [];
  for (const losses of terms.values()) losses.forEach((loss, step) => sums[step] = (sums[step] ?? 0) + loss);
  return sums;
}

/** Moves unused codewords and forgets their moments; returns how many there were. */
async function revive(
  model: RqVae,
  optimizer: Optimizer,
  data: Embeddings,
  codes: Uint16Array,
  items: Uint32Array,
): Promise<number> {
  const { parameters, shape: { codebookSizes, latentWidth } } = model;
  const levels = codebookSizes.length;
  const latents = { data: await latentsOf(model, data), rows: data.rows, dim: latentWidth };
  const seen = { data: pickRows(latents.data, items, latentWidth), rows: items.length, dim: latentWidth };
  const seenCodes = new Uint16Array(items.length * levels);
  items.forEach((item, i) => seenCodes.set(codes.subarray(item * levels, (item + 1) * levels), i * levels));
  const state = await optimizer.state();
  const values = parameters.toTensors(state.values);
  const moved = reviveCodewords(values, seen, seenCodes, codebookSizes);
  const moments = [state.m, state.v].map((array) => parameters.toTensors(array));
  for (const { level, codeword } of moved) {
    for (const moment of moments) {
      moment.get(`codebook.${level}`)!.data.fill(0, codeword * latentWidth, (codeword + 1) * latentWidth);
    }
  }
  const [m, v] = moments.map((moment) => parameters.fromTensors(moment, "moments"));
  const revived = { ...state, values: parameters.fromTensors(values, "revived codewords"), m, v };
  await optimizer.restore(heldState(revived), "memory");
  return moved.length;
}

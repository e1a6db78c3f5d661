import { round } from "../../base/round.ts";
import type { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Decoder } from "../../models/decoder/decoder.ts";
import { LossScaling } from "../../models/optimizer/loss_scaling.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import { learningRateAt, type Schedule, scheduleOf } from "../../models/optimizer/schedule.ts";
import type { Training, TrainingStore, Validated } from "../../models/training/loop.ts";
import { type DivergenceError, notFinite } from "../run/divergence.ts";
import type { FailedStep } from "../run/failed_batch.ts";
import { LossLog } from "../run/loss_log.ts";
import { optimizerOptions, sharedMoments } from "../run/optimizer_options.ts";
import type { PackedData } from "../run/packed_data.ts";
import { StepPlan } from "../run/step_plan.ts";
import { freshTrainerState, type TrainerState } from "../run/loss_log.ts";
import type { Validation, ValidationResult } from "../run/validation.ts";
import type { SftConfig } from "./config.ts";
import { SftStep } from "./step.ts";
import { ALONE, type World } from "../../base/parallel/world.ts";
import { dealStep } from "../ranks/dealt_step.ts";

/** What a fine-tuning computes with and tells of, wherever it is kept. */
export interface SftTrainingInput {
  /** Device to train on. */
  device: Device;
  /** Sequences to learn, in micro batches. */
  data: PackedData;
  /** The SIDs, for a loss that knows which tokens may follow. */
  trie?: DeviceTrie;
  /** Measures the model between steps; absent: never. */
  validation?: Validation;
  /** Settings, complete and checked: see `sftConfig()`. */
  config: SftConfig;
  /** Chooses kernels once the shapes of a step are known, before the first step. */
  tune?: () => Promise<void>;
  /** Stops the run after the current step, with a checkpoint; of several ranks, all of them. */
  signal: AbortSignal;
  /** Ranks that train together, each with this input and a model of its own. Default: this one alone. */
  world?: World;
  /** Called once before the first step, with the size of the work: all that the input gets wrong was thrown by then. */
  onStart?(facts: SftFacts): void | Promise<void>;
  /** Called after each line of the log, every `loggingSteps` steps. */
  onStep?(step: number, note: string): void;
  /** Called after each validation; `best` where it is the best so far. */
  onValidation?(step: number, result: ValidationResult, best: boolean): void;
}

/** Size of the work. */
export interface SftFacts {
  /** Numbers of the model. */
  parameters: number;
  /** Those of them that change. */
  trained: number;
  /** Optimizer steps of the whole run. */
  steps: number;
  /** Steps that were done before a resume. */
  done: number;
  /** Input tokens of the first epoch. */
  tokensPerEpoch: number;
  /** Sequences of the first epoch. */
  sequences: number;
}

/** Where a fine-tuning is kept. */
export interface SftKeeping {
  /** Log and checkpoints. */
  store: TrainingStore<TrainerState>;
  /** Keeps what a step that failed learned from; says in a sentence where that is and what is left. */
  saveFailed(failed: FailedStep): Promise<string>;
}

/** A validation, as the loop sees it. */
interface Measured extends Validated {
  valid: ValidationResult;
}

/** What is fine-tuning's own in the loop of all trainings. It may run wherever WebGPU is. */
export class SftTraining implements Training<TrainerState, Measured> {
  readonly fresh: TrainerState = freshTrainerState();
  readonly plan: StepPlan;
  readonly patience: number;
  readonly signal: AbortSignal;
  readonly store: TrainingStore<TrainerState>;
  readonly validate?: () => Promise<Measured | undefined>;
  /** The model that is trained. */
  readonly decoder: Decoder;
  /** What trains it, with the average of its weights. */
  readonly optimizer: Optimizer;
  /** Packed tokens trained on. */
  tokens = 0;
  #input: SftTrainingInput;
  #world: World;
  /** Aborted where any rank was told to stop, after the same step in all. */
  #stop = new AbortController();
  #keeping: SftKeeping;
  #schedule: Schedule;
  #step: SftStep;
  #losses: LossLog;
  /** Where matrices are float16. */
  #scaling: LossScaling | undefined;
  /** Steps up to the last line of the log. */
  #logged = 0;

  /** `keep` says where the training is kept, which is asked once it is made. */
  constructor(input: SftTrainingInput, decoder: Decoder, keep: (training: SftTraining) => SftKeeping) {
    const { device, config, data, validation, trie, world = ALONE } = input;
    const { capacity, source } = data;
    this.plan = new StepPlan(data, config);
    this.patience = config.patience;
    this.#world = world;
    this.signal = world.size === 1 ? input.signal : this.#stop.signal;
    this.decoder = decoder;
    this.#input = input;
    this.#schedule = scheduleOf(config, this.plan.total);
    const scaling = this.#scaling = LossScaling.of(device);
    this.optimizer = new Optimizer(decoder.parameters, optimizerOptions(config), {
      lossScaling: scaling,
      ...sharedMoments(config, world),
    });
    const { mostMicroBatches: microBatches } = this.plan;
    const size = { steps: config.loggingSteps, rows: capacity.rows, microBatches };
    this.#losses = new LossLog(device, source.tasks, size, world);
    const parts = {
      device,
      decoder,
      optimizer: this.optimizer,
      scaling,
      capacity,
      microBatches,
      trie,
      world,
    };
    this.#step = new SftStep(parts, config);
    this.#keeping = keep(this);
    this.store = this.#keeping.store;
    if (validation) this.validate = () => this.#measure(validation);
  }

  async onStart({ step, pending }: TrainerState): Promise<void> {
    const { tune, onStart, data: { epoch }, config: { loggingSteps } } = this.#input;
    if (tune) {
      this.#step.record(this.plan.microBatches(0)[0].packed, 1);
      await tune();
    }
    const { count: parameters, trainedCount: trained } = this.decoder.parameters;
    const { tokens: tokensPerEpoch, sequences } = epoch;
    await onStart?.({ parameters, trained, steps: this.plan.total, done: step, tokensPerEpoch, sequences });
    this.#logged = step - step % loggingSteps;
    this.#losses.restore(pending);
  }

  async step({ step }: TrainerState): Promise<void> {
    const dealt = await dealStep(this.#world, {
      count: this.plan.microBatchCount(step),
      make: (first, end) => this.plan.microBatches(step, first, end),
      tasks: this.#input.data.source.tasks.length,
      isStopped: this.#input.signal.aborted,
    });
    const learningRate = learningRateAt(step, this.#schedule);
    await this.#step.run(step, dealt, learningRate, this.#losses, step - this.#logged);
    this.tokens += this.plan.tokens(step, step + 1);
    if (dealt.isStopped) this.#stop.abort();
  }

  async log({ step, seconds }: TrainerState): Promise<void> {
    const { device, data: { source }, onStep } = this.#input;
    const [sums, norm] = await device.read(this.#losses.sums, this.optimizer.gradientNorm);
    const { loss, byTask, firstBad } = await this.#losses.summary(sums, step - this.#logged);
    // With a loss scale, gradients that overflow are passed over until the scale is as small as it gets.
    if (firstBad !== undefined || this.optimizer.hasDiverged(norm)) {
      throw await this.#failure(firstBad === undefined ? step - 1 : this.#logged + firstBad, loss, norm[0]);
    }
    const tokens = this.plan.tokens(this.#logged, step);
    this.#logged = step;
    const byName = Object.entries(byTask).map(([name, value]) => [name, round(value, 5)]);
    await this.store.log(step, {
      epoch: round(this.plan.epochAt(step), 3),
      loss: round(loss, 5),
      ...(source.tasks.length > 1 ? { taskLoss: Object.fromEntries(byName) } : {}),
      gradNorm: round(norm[0], 4),
      learningRate: learningRateAt(step - 1, this.#schedule),
      tokens,
      seconds: round(seconds, 1),
    });
    onStep?.(step, `loss ${loss.toFixed(3)}`);
  }

  onValidation({ step }: TrainerState, found: Measured | undefined, best: boolean): void {
    if (found) this.#input.onValidation?.(step, found.valid, best);
  }

  /** Losses since the last line of the log after `steps` steps, for a checkpoint. */
  async pending(steps: number): Promise<TrainerState["pending"]> {
    return await this.#losses.pending(steps - this.#logged);
  }

  /** Frees all but the model. */
  destroy(): void {
    for (const part of [this.#step, this.#losses, this.#scaling, this.optimizer]) part?.destroy();
  }

  async #measure(validation: Validation): Promise<Measured | undefined> {
    const { metricForBestModel } = this.#input.config;
    const valid = await this.optimizer.withAverage(() => validation.run(this.decoder, this.signal));
    return valid && { score: metricForBestModel === "loss" ? -valid.loss : valid.ndcg10, valid };
  }

  /** The error of step `step`, from 0, once what it learned from is saved. */
  async #failure(step: number, loss: number, gradientNorm: number): Promise<DivergenceError> {
    const facts = { loss, gradientNorm, learningRate: learningRateAt(step, this.#schedule) };
    const left = await this.#keeping.saveFailed({ step, facts, microBatches: this.plan.microBatches(step) });
    return notFinite(`at step ${step + 1}`, loss, gradientNorm, left);
  }
}

import type { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Decoder } from "../../models/decoder/decoder.ts";
import { LossScaling } from "../../models/optimizer/loss_scaling.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import type { SavedFile } from "../../models/hugging_face/save_pretrained.ts";
import { learningRateAt, type Schedule, scheduleOf } from "../../models/optimizer/schedule.ts";
import { type Stopped, train, type Training, type Validated } from "../../models/training/loop.ts";
import { checkpointFiles, freshTrainerState, loadTrainer, type TrainerState } from "../run/checkpoint.ts";
import { type DivergenceError, notFinite } from "../run/divergence.ts";
import { failedBatchFiles } from "../run/failed_batch.ts";
import { LossLog } from "../run/loss_log.ts";
import { optimizerOptions } from "../run/optimizer_options.ts";
import type { StartReports } from "../observers/observer.ts";
import type { PackedData } from "../run/packed_data.ts";
import { round } from "../../base/round.ts";
import type { RunDirectory } from "../run/directory.ts";
import { RunStore } from "../run/store.ts";
import type { SftConfig } from "./config.ts";
import { SftStep } from "./step.ts";
import { StepPlan } from "../run/step_plan.ts";
import type { Validation, ValidationResult } from "../run/validation.ts";

/** What to train on, and how. */
export interface SftInput {
  /** Device to train on. */
  device: Device;
  /** Sequences to learn, in micro batches. */
  data: PackedData;
  /** Makes the model once data and settings are known to fit; its weights on a resume are those of a checkpoint. */
  makeDecoder(): Decoder | Promise<Decoder>;
  /** The SIDs, for a loss that knows which tokens may follow. */
  trie?: DeviceTrie;
  /** Measures the model between steps; absent: never. */
  validation?: Validation;
  /** Settings, complete and checked: see `sftConfig()`. */
  config: SftConfig;
  /** Where metrics and checkpoints are written; `create()` it before, or in `onStart()`. */
  run: RunDirectory;
  /** Continue from the latest checkpoint of `run`, or from the start where there is none yet. */
  resume: boolean;
  /** Chooses kernels once the shapes of a step are known, before the first step. */
  tune?: () => Promise<void>;
  /** Gets every line of `metrics.jsonl` too. */
  openObserver?: StartReports;
  /** Text of token ids, for the sequences of a step that failed. */
  decode?(tokens: Uint32Array): string;
  /** Files that go with every checkpoint, such as those of the tokenizer. */
  companions?: readonly ModelFile[];
  /** Stops the run after the current step, with a checkpoint. */
  signal: AbortSignal;
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

/** How a run ended. */
export interface SftResult {
  /** Optimizer steps of this call, those before a resume not counted. */
  steps: number;
  /** Why training ended; `early`: validations stopped getting better. */
  stopped: Stopped;
  /** The best validation of the whole run; null where there was none. */
  best: TrainerState["best"];
  /** Training time of the whole run, resumed parts included. */
  seconds: number;
  /** Packed tokens of this call over its time. */
  tokensPerSecond: number;
}

/**
 * Supervised fine-tuning of a decoder, by {@link train}. A run that was stopped, even killed, and resumed gives the same
 * bytes as one that was not. Throws {@link DivergenceError} when loss or weights are not finite.
 */
export async function trainSft(input: SftInput): Promise<SftResult> {
  const training = new SftTraining(input, await input.makeDecoder());
  try {
    const { steps, stopped, seconds, state: { best } } = await train(training);
    return { steps, stopped, best, seconds, tokensPerSecond: training.tokens / Math.max(seconds, 1e-9) };
  } finally {
    training.destroy();
  }
}

/** A validation, as the loop sees it. */
interface Measured extends Validated {
  valid: ValidationResult;
}

/** What is fine-tuning's own in {@link train}. */
class SftTraining implements Training<TrainerState, Measured> {
  readonly fresh = freshTrainerState();
  readonly plan: StepPlan;
  readonly patience: number;
  readonly signal: AbortSignal;
  readonly store: RunStore<TrainerState>;
  readonly validate?: () => Promise<Measured | undefined>;
  /** Packed tokens trained on. */
  tokens = 0;
  #input: SftInput;
  #schedule: Schedule;
  #decoder: Decoder;
  #scaling: LossScaling | undefined;
  #optimizer: Optimizer;
  #step: SftStep;
  #losses: LossLog;
  /** Steps up to the last line of the log. */
  #logged = 0;

  constructor(input: SftInput, decoder: Decoder) {
    const { device, config, data, run, resume, openObserver, validation, signal, trie } = input;
    const { capacity, source } = data;
    this.plan = new StepPlan(data, config);
    this.patience = config.patience;
    this.signal = signal;
    this.#input = input;
    this.#schedule = scheduleOf(config, this.plan.total);
    this.#decoder = decoder;
    this.#scaling = device.dtype === "f16" ? new LossScaling(device) : undefined;
    this.#optimizer = new Optimizer(decoder.parameters, optimizerOptions(config), this.#scaling);
    this.#losses = new LossLog(device, source.tasks, config.loggingSteps, capacity.rows);
    const parts = { device, decoder, optimizer: this.#optimizer, scaling: this.#scaling, capacity, trie };
    this.#step = new SftStep(parts, config);
    this.store = new RunStore({
      run,
      resume,
      openObserver,
      load: (folder) => this.#load(folder),
      files: (state) => this.#files(state),
    });
    if (validation) this.validate = () => this.#measure(validation);
  }

  async onStart({ step, pending }: TrainerState): Promise<void> {
    const { tune, onStart, data: { epoch }, config: { loggingSteps } } = this.#input;
    if (tune) {
      this.#step.record(this.plan.microBatches(0)[0].packed, 1);
      await tune();
    }
    const { count: parameters, trainedCount: trained } = this.#decoder.parameters;
    const { tokens: tokensPerEpoch, sequences } = epoch;
    await onStart?.({ parameters, trained, steps: this.plan.total, done: step, tokensPerEpoch, sequences });
    this.#logged = step - step % loggingSteps;
    this.#losses.restore(pending);
  }

  step({ step }: TrainerState): void {
    const micro = this.plan.microBatches(step);
    const learningRate = learningRateAt(step, this.#schedule);
    this.#step.run(step, micro, learningRate, this.#losses, step - this.#logged);
    for (const { packed } of micro) this.tokens += packed.counts.tokens;
  }

  async log({ step, seconds }: TrainerState): Promise<void> {
    const { device, data: { source }, onStep } = this.#input;
    const [sums, norm] = await device.read(this.#losses.sums, this.#optimizer.gradientNorm);
    const { loss, byTask, firstBad } = this.#losses.summary(sums, step - this.#logged);
    // With a loss scale, gradients that overflow are passed over until the scale is as small as it gets.
    if (firstBad !== undefined || (this.#scaling ? this.#scaling.hasDiverged(norm) : norm[2] !== 0)) {
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

  /** Frees the arrays of the step. */
  destroy(): void {
    this.#step.destroy();
  }

  async #measure(validation: Validation): Promise<Measured | undefined> {
    const { config: { metricForBestModel }, signal } = this.#input;
    const valid = await this.#optimizer.withAverage(() => validation.run(this.#decoder, signal));
    return valid && { score: metricForBestModel === "loss" ? -valid.loss : valid.ndcg10, valid };
  }

  async #load(folder: string): Promise<TrainerState> {
    const { arrays, state } = await loadTrainer(folder);
    this.#optimizer.restore(arrays, folder);
    return state;
  }

  async #files(state: TrainerState): Promise<AsyncIterable<SavedFile>> {
    state.pending = await this.#losses.pending(state.step - this.#logged);
    const { companions = [], config: { model: baseModel } } = this.#input;
    return checkpointFiles({
      decoder: this.#decoder,
      optimizer: this.#optimizer,
      state,
      companions,
      baseModel,
    });
  }

  /** The error of step `step`, from 0, once what it learned from is saved. */
  async #failure(step: number, loss: number, gradientNorm: number): Promise<DivergenceError> {
    const { run, data: { source }, decode } = this.#input;
    const facts = { loss, gradientNorm, learningRate: learningRateAt(step, this.#schedule) };
    const failed = { step, facts, microBatches: this.plan.microBatches(step) };
    const folder = await run.saveFailedBatch(step + 1, failedBatchFiles(failed, source, decode));
    return notFinite(
      `at step ${step + 1}`,
      loss,
      gradientNorm,
      `What it learned from is in ${folder}; the checkpoints before are intact`,
    );
  }
}

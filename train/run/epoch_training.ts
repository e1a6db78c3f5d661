import type { Device } from "../../kernels/gpu/device.ts";
import type { Parameters } from "../../models/parameters/parameters.ts";
import type { Optimizer } from "../../models/optimizer/optimizer.ts";
import { type Timetable, train, type Training, type Validated } from "../../models/training/loop.ts";
import type { SavedFile } from "../../models/hugging_face/saved_file.ts";
import { learningRateAt, scheduleOf } from "../../models/optimizer/schedule.ts";
import type { BaselineEpoch, BaselineInput, BaselineResult } from "../baselines/method.ts";
import type { StartReports } from "../observers/observer.ts";
import { ALONE, gatherJson, type World } from "../../base/parallel/world.ts";
import { loadTrainer, savingBytes, valuesDigest } from "./checkpoint.ts";
import { freshTrainerState, type TrainerState } from "./loss_log.ts";
import type { EpochConfig } from "./epoch_config.ts";
import { notFinite } from "./divergence.ts";
import { round } from "../../base/round.ts";
import type { RunDirectory } from "./directory.ts";
import { RunStore } from "./store.ts";

/** Place of a step: epoch and step of the epoch, both from 0. */
export interface EpochPlace {
  epoch: number;
  i: number;
}

/** What the log says of an epoch. */
export interface EpochLosses {
  /** Mean over the steps of the sum of all terms. */
  loss: number;
  /** Further facts of its line in the log. */
  terms?: Record<string, number | string>;
  /** Whether a loss is not finite. */
  bad: boolean;
}

/** A training by whole epochs: what is its own. */
export interface EpochTraining {
  device: Device;
  /** Saved and restored as the run's; validations see its average. */
  optimizer: Optimizer;
  /** Optimizer that steps in an epoch. Default: `optimizer`, in all of them. */
  optimizerOf?(epoch: number): Optimizer;
  /** What is trained beside the parameters of `optimizer`. Default: nothing. */
  alsoTrained?: readonly Parameters[];
  run: RunDirectory;
  /** Continue from the latest checkpoint of `run`, or from the start where there is none yet. */
  resume: boolean;
  /** Stops the run; what is lost is less than an epoch. */
  signal: AbortSignal;
  /** Ranks that train together. Default: this one alone. */
  world?: World;
  /** Whether ranks keep a share of the moments each, which they put together for a checkpoint. */
  sharesMoments?: boolean;
  /** Steps of each epoch. */
  steps: readonly number[];
  /** Validations without a better one to stop after; 0: never. */
  patience: number;
  /** Gets every line of `metrics.jsonl` too. */
  openObserver?: StartReports;
  /** See `BaselineInput.rehearsed`. */
  rehearsed?(saving: number): never;
  /** Called once before the first step, with the steps that were done before a resume. */
  onStart?(done: number): void | Promise<void>;
  /** Puts back from a checkpoint what `files()` wrote beside the arrays of `optimizer`. */
  restore?(folder: string): Promise<void>;
  /** Learning rate of step `step` of the run. */
  learningRate(step: number, place: EpochPlace): number;
  /** Records and submits step `step` of the run. */
  step(step: number, place: EpochPlace, learningRate: number): void | Promise<void>;
  /** Losses of the steps of an epoch that has just ended. Waits for the device. */
  losses(steps: number, epoch: number): Promise<EpochLosses>;
  /** Whether a validation follows an epoch that is not the last. Default: each. */
  validates?(epoch: number): boolean;
  /** Quality on the valid split; undefined where there is none, or `signal`, in all ranks the same, cut it short. */
  validate(signal: AbortSignal): Promise<{ hr10: number; ndcg10: number } | undefined>;
  /** Files of a checkpoint. */
  files(state: TrainerState): AsyncIterable<SavedFile>;
  onStep?(step: number): void;
  onEpoch?(epoch: BaselineEpoch): void;
}

/** What a training with one schedule takes over from its input and settings; `steps` of each epoch. */
export function epochRun(
  { device, run, resume, signal, world, openObserver, rehearsed, onStep, onEpoch }: Omit<
    BaselineInput,
    "dataset"
  >,
  config: EpochConfig,
  steps: readonly number[],
) {
  const schedule = scheduleOf(config, steps.reduce((sum, count) => sum + count, 0));
  return {
    device,
    run,
    resume,
    signal,
    world,
    sharesMoments: config.zeroStage > 0,
    openObserver,
    rehearsed,
    onStep,
    onEpoch,
    steps,
    patience: config.patience,
    learningRate: (step) => learningRateAt(step, schedule),
  } satisfies Partial<EpochTraining>;
}

/** A validation, as the loop sees it. */
interface Measured extends Validated {
  valid: { hr10: number; ndcg10: number };
}

/**
 * Trains epoch by epoch, by {@link train}. A checkpoint follows each epoch, so a run that was stopped, even killed, and
 * resumed gives the same bytes as one that was not.
 * @throws {DivergenceError} when losses or gradients are not finite.
 */
export async function trainEpochs(training: EpochTraining): Promise<BaselineResult> {
  if (training.rehearsed) return await rehearseEpochs(training, training.rehearsed);
  const { stopped, steps, seconds, state: { best } } = await train(new Epochs(training));
  return { stopped, steps, best: best && { score: best.score, step: best.step }, seconds };
}

/** The first step of each of two epochs, which may differ in what they train, and a validation. */
async function rehearseEpochs(training: EpochTraining, rehearsed: (saving: number) => never): Promise<never> {
  for (const epoch of training.steps.keys().take(2)) {
    await training.step(0, { epoch, i: 0 }, 0);
  }
  await training.validate(training.signal);
  const { device, steps, optimizer, alsoTrained = [] } = training;
  return rehearsed(savingBytes(device, steps.length, optimizer.parameters, ...alsoTrained));
}

/** What is a training's own by epochs, in {@link train}. */
class Epochs implements Training<TrainerState, Measured>, Timetable {
  readonly fresh = freshTrainerState();
  readonly plan = this;
  readonly patience: number;
  readonly signal: AbortSignal;
  readonly store: RunStore<TrainerState>;
  #training: EpochTraining;
  #world: World;
  /** Aborted where any rank was told to stop, after the same epoch in all. */
  #stop = new AbortController();
  /** Steps after each epoch. */
  #ends: number[] = [];
  /** Loss of the epoch that has just ended. */
  #loss: number | undefined;

  constructor(training: EpochTraining) {
    const { run, resume, world = ALONE, steps, patience, signal } = training;
    this.#training = training;
    this.#world = world;
    this.patience = patience;
    this.signal = world.size === 1 ? signal : this.#stop.signal;
    for (const count of steps) this.#ends.push((this.#ends.at(-1) ?? 0) + count);
    this.store = new RunStore({
      run,
      resume,
      ranks: {
        world,
        digest: () => valuesDigest(training.optimizer.parameters, ...training.alsoTrained ?? []),
        makeTogether: training.sharesMoments,
      },
      openObserver: training.openObserver,
      load: (folder) => this.#load(folder),
      files: async (state) => {
        await training.optimizer.gatherAverage();
        return training.files(state);
      },
    });
  }

  isOver(steps: number): boolean {
    return steps >= this.#ends.at(-1)!;
  }

  isLog(steps: number): boolean {
    return this.#ends.includes(steps);
  }

  isEvaluation(steps: number): boolean {
    if (!this.#ends.includes(steps)) return false;
    return this.#training.validates?.(this.#placeOf(steps - 1).epoch) ?? true;
  }

  isSave(steps: number): boolean {
    return this.#ends.includes(steps);
  }

  /** What is lost is less than an epoch. */
  isStop(steps: number): boolean {
    return this.#ends.includes(steps);
  }

  async onStart({ step }: TrainerState): Promise<void> {
    await this.#training.onStart?.(step);
  }

  async step({ step }: TrainerState): Promise<void> {
    const place = this.#placeOf(step);
    await this.#training.step(step, place, this.#training.learningRate(step, place));
    this.#training.onStep?.(step + 1);
  }

  async log({ step, seconds }: TrainerState): Promise<void> {
    const training = this.#training;
    const stops = await gatherJson(this.#world, training.signal.aborted);
    if (stops.includes(true)) this.#stop.abort();
    const place = this.#placeOf(step - 1);
    const { epoch } = place;
    const { loss, terms, bad } = await training.losses(training.steps[epoch], epoch);
    const optimizer = training.optimizerOf?.(epoch) ?? training.optimizer;
    const [norm] = await training.device.read(optimizer.gradientNorm);
    if (bad || norm[2] !== 0) {
      throw notFinite(`in epoch ${epoch + 1}`, loss, norm[0], "The checkpoints before are intact");
    }
    await this.store.log(step, {
      epoch: epoch + 1,
      loss: round(loss, 5),
      ...terms,
      gradNorm: round(norm[0], 4),
      learningRate: training.learningRate(step - 1, place),
      seconds: round(seconds, 1),
    });
    this.#loss = loss;
    if (!this.isOver(step) && !this.isEvaluation(step)) this.#tell(step, { best: false });
  }

  async validate(): Promise<Measured | undefined> {
    const valid = await this.#training.optimizer.withAverage(() => this.#training.validate(this.signal));
    return valid && { score: valid.ndcg10, valid };
  }

  onValidation({ step }: TrainerState, found: Measured | undefined, best: boolean): void {
    this.#tell(step, { valid: found?.valid, best });
  }

  #tell(step: number, told: Pick<BaselineEpoch, "valid" | "best">): void {
    this.#training.onEpoch?.({ epoch: this.#placeOf(step - 1).epoch + 1, loss: this.#loss, ...told });
  }

  async #load(folder: string): Promise<TrainerState> {
    const { arrays, state } = await loadTrainer(folder);
    await this.#training.optimizer.restore(arrays, folder);
    await this.#training.restore?.(folder);
    return state;
  }

  /** Epoch and step of the epoch of step `step`, from 0. */
  #placeOf(step: number): EpochPlace {
    const epoch = this.#ends.findIndex((end) => step < end);
    return { epoch, i: step - (this.#ends[epoch - 1] ?? 0) };
  }
}

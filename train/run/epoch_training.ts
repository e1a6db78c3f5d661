import type { Device } from "../../kernels/gpu/device.ts";
import type { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import type { BaselineEpoch, BaselineResult } from "../baselines/method.ts";
import { DivergenceError, freshState, loadTrainer, type TrainerState } from "./checkpoint.ts";
import { round } from "../../base/round.ts";
import type { RunDirectory } from "./run_directory.ts";
import { SignalListener } from "./signal_listener.ts";

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
  run: RunDirectory;
  /** Continue from the latest checkpoint of `run`, or from the start where there is none yet. */
  resume: boolean;
  /** Stops the run; what is lost is less than an epoch. */
  signal: AbortSignal;
  /** Steps of each epoch. */
  steps: readonly number[];
  /** Validations without a better one to stop after; 0: never. */
  patience: number;
  /** Called once before the first step, with the steps that were done before a resume. */
  onStart?(done: number): void | Promise<void>;
  /** Puts back from a checkpoint what `files()` wrote beside the arrays of `optimizer`. */
  restore?(folder: string): Promise<void>;
  /** Learning rate of step `step` of the run. */
  learningRate(step: number, place: EpochPlace): number;
  /** Records and submits step `step` of the run. */
  step(step: number, place: EpochPlace, learningRate: number): void;
  /** Losses of the steps of an epoch that has just ended. Waits for the device. */
  losses(steps: number, epoch: number): Promise<EpochLosses>;
  /** Whether a validation follows an epoch. Default: each. */
  validates?(epoch: number): boolean;
  /** Quality on the valid split; undefined where there is none, or `signal` cut it short. */
  validate(): Promise<{ hr10: number; ndcg10: number } | undefined>;
  /** Files of a checkpoint. */
  files(state: TrainerState): AsyncIterable<ModelFile>;
  onStep?(step: number): void;
  onEpoch?(epoch: BaselineEpoch): void;
}

/**
 * Trains epoch by epoch. A checkpoint follows each epoch, so a run that was stopped, even killed, and resumed gives the
 * same bytes as one that was not.
 * @throws {DivergenceError} when losses or gradients are not finite.
 */
export async function trainEpochs(training: EpochTraining): Promise<BaselineResult> {
  const { device, optimizer, run, signal, steps, patience } = training;
  const { optimizerOf = () => optimizer, validates = () => true } = training;
  const total = steps.reduce((sum, count) => sum + count, 0);
  let state = freshState();
  if (training.resume) {
    if (await run.hasCheckpoint()) {
      const folder = await run.checkpoint("latest");
      const saved = await loadTrainer(folder);
      optimizer.restore(saved.arrays, folder);
      state = saved.state;
      await training.restore?.(folder);
      // Killed between the checkpoint and its mark; without validations the last one is the best.
      if (!state.best || state.best.step === state.step) await run.markBest(state.step);
    }
    await run.filterLog(({ step }) => (step as number) <= state.step);
  }
  await training.onStart?.(state.step);

  const startedAt = performance.now() - state.seconds * 1000;
  const firstStep = state.step;
  const listener = new SignalListener();
  const isEarly = () => patience > 0 && (state.best?.stale ?? 0) >= patience;
  for (let epoch = epochsIn(state.step, steps); epoch < steps.length && !isEarly(); epoch++) {
    for (let i = 0; i < steps[epoch] && !signal.aborted; i++) {
      const step = state.step + i;
      training.step(step, { epoch, i }, training.learningRate(step, { epoch, i }));
      training.onStep?.(step + 1);
      await listener.listen();
    }
    if (signal.aborted) break;
    const { loss, terms, bad } = await training.losses(steps[epoch], epoch);
    const [norm] = await device.read(optimizerOf(epoch).gradientNorm);
    if (bad || norm[2] !== 0) {
      throw new DivergenceError(
        `Training stopped in epoch ${epoch + 1}: the loss is ${loss}, the gradient norm ${
          norm[0]
        }, expected ` +
          "finite numbers. The checkpoints before are intact. Start another run with a lower --learning-rate",
      );
    }
    const due = validates(epoch);
    const valid = due ? await optimizer.withAverage(() => training.validate()) : undefined;
    if (signal.aborted) break;
    state.step += steps[epoch];
    const better = due && (valid === undefined || !state.best || valid.ndcg10 > state.best.score);
    if (valid) {
      state.best = better
        ? { score: valid.ndcg10, step: state.step, stale: 0 }
        : { ...state.best!, stale: state.best!.stale + 1 };
    }
    state.seconds = (performance.now() - startedAt) / 1000;
    await run.log({
      step: state.step,
      epoch: epoch + 1,
      loss: round(loss, 5),
      ...terms,
      gradNorm: round(norm[0], 4),
      learningRate: training.learningRate(state.step - 1, { epoch, i: steps[epoch] - 1 }),
      seconds: round(state.seconds, 1),
    });
    if (valid) await run.log({ step: state.step, valid });
    training.onEpoch?.({ epoch: epoch + 1, loss, valid, best: better });
    await run.saveCheckpoint(state.step, training.files(state), better);
  }
  return {
    stopped: state.step === total ? "finished" : isEarly() ? "early" : "interrupted",
    steps: state.step - firstStep,
    best: state.best && { score: state.best.score, step: state.best.step },
    seconds: state.seconds,
  };
}

/** Whole epochs in the first `done` steps. */
function epochsIn(done: number, steps: readonly number[]): number {
  let epoch = 0;
  for (let end = 0; epoch < steps.length && (end += steps[epoch]) <= done;) epoch++;
  return epoch;
}

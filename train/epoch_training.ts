import type { Device } from "../kernels/device.ts";
import type { Optimizer } from "../models/optimizer.ts";
import type { ModelFile } from "../models/pretrained.ts";
import { learningRateAt, type Schedule } from "../models/schedule.ts";
import type { BaselineEpoch, BaselineResult } from "./baselines/method.ts";
import { DivergenceError, freshState, loadTrainer, type TrainerState } from "./checkpoint.ts";
import { round } from "./round.ts";
import type { RunDirectory } from "./run_directory.ts";
import { SignalListener } from "./signal_listener.ts";

/** A training by whole epochs: what is its own. */
export interface EpochTraining {
  device: Device;
  optimizer: Optimizer;
  run: RunDirectory;
  /** Continue from the latest checkpoint of `run`, or from the start where there is none yet. */
  resume: boolean;
  /** Stops the run; what is lost is less than an epoch. */
  signal: AbortSignal;
  schedule: Schedule;
  /** Steps of each epoch. */
  steps: readonly number[];
  /** Validations without a better one to stop after; 0: never. */
  patience: number;
  /** Called once before the first step, with the steps that were done before a resume. */
  onStart?(done: number): void | Promise<void>;
  /** Records and submits step `i` of an epoch, step `step` of the run. */
  step(step: number, place: { epoch: number; i: number }, learningRate: number): void;
  /** Losses of the last `steps` steps, for the log; `loss` is their sum, mean over steps. Waits for the device. */
  losses(steps: number): Promise<{ loss: number; terms?: Record<string, number>; bad: boolean }>;
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
  const { device, optimizer, run, signal, schedule, steps, patience } = training;
  const total = steps.reduce((sum, count) => sum + count, 0);
  let state = freshState();
  if (training.resume) {
    if (await run.hasCheckpoint()) {
      const folder = await run.checkpoint("latest");
      const saved = await loadTrainer(folder);
      optimizer.restore(saved.arrays, folder);
      state = saved.state;
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
      training.step(step, { epoch, i }, learningRateAt(step, schedule));
      training.onStep?.(step + 1);
      await listener.listen();
    }
    if (signal.aborted) break;
    const { loss, terms, bad } = await training.losses(steps[epoch]);
    const [norm] = await device.read(optimizer.gradientNorm);
    if (bad || norm[2] !== 0) {
      throw new DivergenceError(
        `Training stopped in epoch ${epoch + 1}: the loss is ${loss}, the gradient norm ${
          norm[0]
        }, expected ` +
          "finite numbers. The checkpoints before are intact. Start another run with a lower --learning-rate",
      );
    }
    const valid = await optimizer.withAverage(() => training.validate());
    if (signal.aborted) break;
    state.step += steps[epoch];
    const better = valid === undefined || !state.best || valid.ndcg10 > state.best.score;
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
      learningRate: learningRateAt(state.step - 1, schedule),
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

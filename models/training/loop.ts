import { SignalListener } from "./signal_listener.ts";
import { bestAfter, type TrainingState } from "./state.ts";

/** When something is due, by the optimizer steps done. After the last step all of it is. */
export interface Timetable {
  /** Whether all steps are done. */
  isOver(steps: number): boolean;
  /** Whether a line of the log follows. */
  isLog(steps: number): boolean;
  /** Whether a validation follows. */
  isEvaluation(steps: number): boolean;
  /** Whether a checkpoint follows, whatever the validation says. */
  isSave(steps: number): boolean;
  /** Whether a stopped training saves here; if not, it goes on from the checkpoint before. Default: everywhere. */
  isStop?(steps: number): boolean;
}

/** What a validation found. */
export interface Validated {
  /** The higher the better. */
  score: number;
  /** What the log says of it. */
  valid: object;
}

/**
 * Where a training is kept, such as a run directory. Of several processes that train one model, the first one's writes,
 * and a checkpoint counts once `save()` has returned in all of them.
 */
export interface TrainingStore<S extends TrainingState> {
  /**
   * The state of the latest checkpoint, whose arrays are put back, or `fresh`. A checkpoint that `isBest()` is marked as
   * such: a training may be killed between the two.
   */
  restore(fresh: S, isBest: (state: S) => boolean): Promise<S>;
  /** Called once before the first step, with the steps that were done before. */
  open(steps: number): Promise<void>;
  /** Appends a line to the log. */
  log(steps: number, line: Record<string, unknown>): Promise<void>;
  /** Saves all that a resumed training needs; `best`: marks it as the best so far. */
  save(state: S, best: boolean): Promise<void>;
  /** Called at the end, whatever it is. */
  close(): Promise<void>;
}

/** What a training has of its own. Methods get the state as it is. */
export interface Training<S extends TrainingState, V extends Validated = Validated> {
  /** The state before the first step. With a validation due, there is one before the first step. */
  readonly fresh: S;
  /** When what happens. */
  readonly plan: Timetable;
  /** Validations without a better one to stop after; 0: never. */
  readonly patience: number;
  /** Absent: nothing is kept, and there is no log. */
  readonly store?: TrainingStore<S>;
  /** Stops the training after the current step, of several processes in all of them the same. Absent: nothing does. */
  readonly signal?: AbortSignal;
  /** Called once before the first step, when the state is that of the latest checkpoint. */
  onStart?(state: S): void | Promise<void>;
  /**
   * Forward, backward and update of the step after `state.step` others. Work is submitted, nothing need be read; it waits
   * where gradients are reduced over processes before the update.
   */
  step(state: S): void | Promise<void>;
  /** Reads what the steps since the last line left, checks that it is finite, and logs it. */
  log(state: S): Promise<void>;
  /** Measures the model; undefined where there is nothing to measure it on, or the signal cut it short. Absent: never. */
  validate?(state: S): Promise<V | undefined>;
  /** Called after a validation that was not cut short; `best`: no one before was as good. */
  onValidation?(state: S, found: V | undefined, best: boolean): void;
}

/** Why a training ended; `early`: validations stopped getting better. */
export type Stopped = "finished" | "interrupted" | "early";

/** How a training ended. */
export interface TrainingEnd<S extends TrainingState> {
  /** Why. */
  stopped: Stopped;
  /** Steps of this call that are kept, those before a resume not counted. */
  steps: number;
  /** Seconds of the whole training, resumed parts included. */
  seconds: number;
  /** Where it stands. */
  state: S;
}

/**
 * The loop of every training: restore, then step, log, validate, save. One that was stopped, even killed, and resumed
 * gives the same bytes as one that was not, where its steps follow from their number and the restored state.
 */
export async function train<S extends TrainingState, V extends Validated>(
  training: Training<S, V>,
): Promise<TrainingEnd<S>> {
  const { plan, store, signal, patience, fresh } = training;
  const isEvaluation = (steps: number) =>
    training.validate !== undefined && (plan.isOver(steps) || plan.isEvaluation(steps));
  // Without anything to measure on, the latest is the best.
  const isBest = ({ best, step, validationDue }: S) =>
    best ? best.step === step : isEvaluation(step) && !validationDue;
  const state = store ? await store.restore(fresh, isBest) : fresh;
  await training.onStart?.(state);
  await store?.open(state.step);

  const startedAt = performance.now() - 1000 * state.seconds;
  const seconds = () => (performance.now() - startedAt) / 1000;
  const listener = new SignalListener();
  const isStopped = () => signal?.aborted ?? false;
  const isEarly = () => patience > 0 && (state.best?.stale ?? 0) >= patience;
  const first = state.step;
  let kept = state.step;

  /** Whether the validation was not cut short and found no better one before. */
  const validate = async () => {
    const found = await training.validate!(state);
    if (!found && isStopped()) return false;
    state.validationDue = false;
    if (found) {
      state.best = bestAfter(state.best, found.score, state.step);
      await store?.log(state.step, { valid: found.valid });
    }
    const best = !found || state.best!.stale === 0;
    training.onValidation?.(state, found, best);
    return best;
  };
  const save = async (best: boolean) => {
    state.seconds = seconds();
    await store?.save(state, best);
    kept = state.step;
  };

  try {
    if (state.validationDue && !isStopped()) await save(await validate());
    while (!plan.isOver(state.step) && !isEarly() && !isStopped()) {
      await training.step(state);
      state.step++;
      state.seconds = seconds();
      const last = plan.isOver(state.step);
      if (last || plan.isLog(state.step)) await training.log(state);
      if (signal) await listener.listen();
      state.validationDue = isEvaluation(state.step);
      const best = state.validationDue && !isStopped() && await validate();
      const isStop = isStopped() && (plan.isStop?.(state.step) ?? true);
      if (best || last || isStop || isEarly() || plan.isSave(state.step)) await save(best);
    }
  } finally {
    await store?.close();
  }
  const isFinished = plan.isOver(kept);
  return {
    stopped: state.validationDue || !isFinished && !isEarly()
      ? "interrupted"
      : isFinished
      ? "finished"
      : "early",
    steps: kept - first,
    seconds: seconds(),
    state,
  };
}

import type { PackedBatch } from "../data/batches.ts";
import type { SequenceSource } from "../data/sequence_source.ts";
import type { Device } from "../kernels/device.ts";
import { Tape } from "../kernels/tape.ts";
import type { Decoder } from "../models/decoder.ts";
import { Optimizer } from "../models/optimizer.ts";
import { PackedTokensBuffer } from "../models/packed_tokens.ts";
import { learningRateAt, type Schedule } from "../models/schedule.ts";
import {
  checkpointFiles,
  DivergenceError,
  formatState,
  loadTrainer,
  type TrainerState,
} from "./checkpoint.ts";
import { LossLog } from "./loss_log.ts";
import { PackedData } from "./packed_data.ts";
import type { RunDirectory } from "./run_directory.ts";
import type { SftConfig } from "./sft_config.ts";
import { StepPlan } from "./step_plan.ts";
import type { Validation, ValidationResult } from "./validation.ts";

/** What to train on, and how. */
export interface SftInput {
  /** Device to train on. */
  device: Device;
  /** Sequences to learn. */
  source: SequenceSource;
  /** Makes the model once data and settings are known to fit; its weights on a resume are those of a checkpoint. */
  makeDecoder(): Decoder | Promise<Decoder>;
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
  /** Stops the run after the current step, with a checkpoint. */
  signal: AbortSignal;
  /** Called once before the first step, with the size of the work: all that the input gets wrong was thrown by then. */
  onStart?(
    facts: { parameters: number; steps: number; tokensPerEpoch: number; sequences: number },
  ): void | Promise<void>;
  /** Called after each line of the log, every `loggingSteps` steps. */
  onStep?(step: number, note: string): void;
  /** Called after each validation; `best` where it is the best so far. */
  onValidation?(step: number, result: ValidationResult, best: boolean): void;
}

/** How a run ended. */
export interface SftResult {
  /** Optimizer steps of this call, those before a resume not counted. */
  steps: number;
  /** Why training ended; `early`: validations stopped getting better. */
  stopped: "finished" | "interrupted" | "early";
  /** The best validation of the whole run; null where there was none. */
  best: TrainerState["best"];
  /** Training time of the whole run, resumed parts included. */
  seconds: number;
  /** Packed tokens of this call over its time. */
  tokensPerSecond: number;
}

// How long a stop signal may go unseen, in milliseconds: the event loop hears of it only when the loop waits for a
// timer, which costs 1 to 2 ms.
const LISTEN_EVERY = 50;

/**
 * Supervised fine-tuning of a decoder: the main loop. A run that was stopped, even killed, and resumed gives the same
 * bytes as one that was not. Throws {@link DivergenceError} when loss or weights are not finite.
 */
export async function trainSft(input: SftInput): Promise<SftResult> {
  const { device, config, run, signal, source, validation } = input;
  const data = new PackedData(source, config, config.seed);
  const plan = new StepPlan(data, config);
  const schedule: Schedule = {
    name: config.lrSchedulerType,
    learningRate: config.learningRate,
    warmupSteps: config.warmupSteps,
    totalSteps: plan.total,
    minRatio: config.minLearningRateRatio,
  };

  const decoder = await input.makeDecoder();
  const { parameters } = decoder;
  const optimizer = new Optimizer(parameters, {
    beta1: config.adamBeta1,
    beta2: config.adamBeta2,
    eps: config.adamEpsilon,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
    emaDecay: config.emaDecay,
  });
  const lossLog = new LossLog(device, source.tasks, config.loggingSteps, data.capacity.rows);
  let state: TrainerState = {
    step: 0,
    best: null,
    seconds: 0,
    pending: { sums: [], shares: [] },
    validationDue: false,
  };
  if (input.resume) {
    if (await run.hasCheckpoint()) {
      const folder = await run.checkpoint("latest");
      const saved = await loadTrainer(folder);
      optimizer.restore(saved.arrays, folder);
      state = saved.state;
      if (state.best && state.best.step === state.step) await run.markBest(state.step);
    }
    const { step, validationDue } = state;
    await run.filterLog((entry) =>
      (entry.step as number) < step || entry.step === step && !(validationDue && "valid" in entry)
    );
  }

  const buffer = new PackedTokensBuffer(device, data.capacity);
  const { targets, weights } = buffer.packed;
  const rowLoss = device.createFlat("f32", targets.length);
  const stats = device.createFlat("f32", 4 * targets.length);
  const dropoutSeed = device.createFlat("u32", 4);
  const record = (batch: PackedBatch, weightSum: number) => {
    buffer.write(batch, 1 / weightSum);
    device.scope(() => {
      const tape = new Tape(device, true);
      decoder.loss(tape, buffer.packed, { targets, weights, stats, rowLoss }, {
        labelSmoothing: config.labelSmoothing,
        dropout: { rate: config.dropout, seed: dropoutSeed },
      });
      tape.backward();
    });
  };
  if (input.tune) {
    record(plan.microBatches(0)[0].packed, 1);
    await input.tune();
  }
  await input.onStart?.({
    parameters: parameters.count,
    steps: plan.total,
    tokensPerEpoch: data.tokens,
    sequences: data.sequences,
  });

  // Log lines fall on multiples of loggingSteps, whatever was interrupted.
  let logged = state.step - state.step % config.loggingSteps;
  lossLog.restore(state.pending);
  const save = async (best: boolean) => {
    state.pending = await lossLog.pending(state.step - logged);
    const arrays = await optimizer.state();
    await run.saveCheckpoint(state.step, checkpointFiles(decoder, arrays, state), best);
  };
  /** Whether the validation ran and is the best so far. */
  const validate = async () => {
    const result = await optimizer.withAverage(() => validation!.run(decoder, signal));
    if (!result) return false;
    const score = config.metricForBestModel === "loss" ? -result.loss : result.ndcg10;
    const best = !state.best || score > state.best.score;
    state.best = best
      ? { score, step: state.step, stale: 0 }
      : { ...state.best!, stale: state.best!.stale + 1 };
    state.validationDue = false;
    await run.log({ step: state.step, valid: result });
    input.onValidation?.(state.step, result, best);
    return best;
  };
  const isEarly = () => config.patience > 0 && (state.best?.stale ?? 0) >= config.patience;
  const startedAt = performance.now() - state.seconds * 1000;
  let listenedAt = performance.now();
  let tokensDone = 0;
  const firstStep = state.step;

  if (state.validationDue && !signal.aborted) {
    const best = await validate();
    await run.write(`checkpoints/step-${state.step}/trainer.json`, formatState(state));
    if (best) await run.markBest(state.step);
  }
  while (state.step < plan.total && !isEarly() && !signal.aborted) {
    const { step } = state;
    const micro = plan.microBatches(step);
    const weightSum = micro.reduce((sum, { packed }) => sum + packed.counts.weightSum, 0);
    optimizer.prepare(step, learningRateAt(step, schedule));
    lossLog.begin(step - logged, micro, weightSum);
    parameters.clearGradients();
    micro.forEach((batch, i) => {
      device.write(dropoutSeed, new Uint32Array([config.seed, i, step, 0]));
      lossLog.prepare(batch);
      record(batch.packed, weightSum);
      lossLog.record(rowLoss);
      tokensDone += batch.packed.counts.tokens;
    });
    optimizer.step();
    device.submit();
    state.step++;

    const last = state.step === plan.total;
    if (state.step - logged === config.loggingSteps || last) {
      const steps = state.step - logged;
      const [sums, norm] = await device.read(lossLog.sums, optimizer.gradientNorm);
      const { loss, byTask, firstBad } = lossLog.summary(sums, steps);
      if (firstBad !== undefined || norm[2] !== 0) {
        throw new DivergenceError(
          `Training stopped at step ${state.step}: the loss is ${loss}, the gradient norm ${
            norm[0]
          }, expected finite ` +
            "numbers. The checkpoints before are intact. Start another run with a lower --learning-rate",
        );
      }
      logged = state.step;
      state.seconds = (performance.now() - startedAt) / 1000;
      const learningRate = learningRateAt(step, schedule);
      await run.log({
        step: state.step,
        epoch: round(plan.epochAt(state.step), 3),
        loss: round(loss, 5),
        ...(source.tasks.length > 1 ? { taskLoss: rounded(byTask, 5) } : {}),
        gradNorm: round(norm[0], 4),
        learningRate,
        seconds: round(state.seconds, 1),
      });
      input.onStep?.(state.step, `loss ${loss.toFixed(3)}`);
    }

    if (performance.now() - listenedAt > LISTEN_EVERY) {
      await new Promise((resume) => setTimeout(resume, 0));
      listenedAt = performance.now();
    }
    state.validationDue = validation !== undefined && (last || plan.isEvaluation(state.step));
    const best = state.validationDue && !signal.aborted && await validate();
    state.seconds = (performance.now() - startedAt) / 1000;
    if (last || signal.aborted || isEarly() || best || plan.isSave(state.step)) await save(best);
  }

  const seconds = (performance.now() - startedAt) / 1000;
  return {
    steps: state.step - firstStep,
    stopped: state.validationDue
      ? "interrupted"
      : state.step === plan.total
      ? "finished"
      : isEarly()
      ? "early"
      : "interrupted",
    best: state.best,
    seconds,
    tokensPerSecond: tokensDone / Math.max(seconds, 1e-9),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function rounded(values: Record<string, number>, digits: number): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, round(value, digits)]));
}

import type { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Decoder } from "../../models/decoder/decoder.ts";
import { LossScaling } from "../../models/optimizer/loss_scaling.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import { learningRateAt, type Schedule } from "../../models/optimizer/schedule.ts";
import {
  checkpointFiles,
  DivergenceError,
  formatState,
  freshState,
  loadTrainer,
  type TrainerState,
} from "../run/checkpoint.ts";
import { failedBatchFiles } from "../run/failed_batch.ts";
import { LossLog } from "../run/loss_log.ts";
import { optimizerOptions } from "../run/optimizer_options.ts";
import { type MetricsObserver, scalarsOf } from "../observers/observer.ts";
import type { PackedData } from "../run/packed_data.ts";
import { round } from "../../base/round.ts";
import type { RunDirectory } from "../run/run_directory.ts";
import type { SftConfig } from "./config.ts";
import { SftStep } from "./step.ts";
import { SignalListener } from "../run/signal_listener.ts";
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
  openObserver?(firstStep: number): Promise<MetricsObserver>;
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
  stopped: "finished" | "interrupted" | "early";
  /** The best validation of the whole run; null where there was none. */
  best: TrainerState["best"];
  /** Training time of the whole run, resumed parts included. */
  seconds: number;
  /** Packed tokens of this call over its time. */
  tokensPerSecond: number;
}

/**
 * Supervised fine-tuning of a decoder: the main loop. A run that was stopped, even killed, and resumed gives the same
 * bytes as one that was not. Throws {@link DivergenceError} when loss or weights are not finite.
 */
export async function trainSft(input: SftInput): Promise<SftResult> {
  const { device, config, run, signal, data, validation } = input;
  const { source } = data;
  const plan = new StepPlan(data, config);
  const schedule: Schedule = {
    name: config.lrSchedulerType,
    learningRate: config.learningRate,
    warmupSteps: config.warmupSteps,
    totalSteps: plan.total,
    minRatio: config.minLearningRateRatio,
  };

  const decoder = await input.makeDecoder();
  const scaling = device.dtype === "f16" ? new LossScaling(device) : undefined;
  const optimizer = new Optimizer(decoder.parameters, optimizerOptions(config), scaling);
  const lossLog = new LossLog(device, source.tasks, config.loggingSteps, data.capacity.rows);
  let state = freshState();
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

  const training = new SftStep(
    { device, decoder, optimizer, scaling, capacity: data.capacity, trie: input.trie },
    config,
  );
  if (input.tune) {
    training.record(plan.microBatches(0)[0].packed, 1);
    await input.tune();
  }
  await input.onStart?.({
    parameters: decoder.parameters.count,
    trained: decoder.parameters.trainedCount,
    steps: plan.total,
    done: state.step,
    tokensPerEpoch: data.epoch.tokens,
    sequences: data.epoch.sequences,
  });

  const observer = await input.openObserver?.(state.step);
  const log = async (entry: Record<string, unknown>) => {
    await run.log({ step: state.step, ...entry });
    await observer?.log(state.step, scalarsOf(entry));
  };
  // Log lines fall on multiples of loggingSteps, whatever was interrupted.
  let logged = state.step - state.step % config.loggingSteps;
  lossLog.restore(state.pending);
  const save = async (best: boolean) => {
    state.pending = await lossLog.pending(state.step - logged);
    const { companions = [] } = input;
    const parts = { decoder, optimizer, state, companions, baseModel: config.model };
    await run.saveCheckpoint(state.step, checkpointFiles(parts), best);
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
    await log({ valid: result });
    input.onValidation?.(state.step, result, best);
    return best;
  };
  const isEarly = () => config.patience > 0 && (state.best?.stale ?? 0) >= config.patience;
  const startedAt = performance.now() - state.seconds * 1000;
  const listener = new SignalListener();
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
    training.run(step, micro, learningRateAt(step, schedule), lossLog, step - logged);
    for (const { packed } of micro) tokensDone += packed.counts.tokens;
    state.step++;

    const last = state.step === plan.total;
    if (state.step - logged === config.loggingSteps || last) {
      const steps = state.step - logged;
      const [sums, norm] = await device.read(lossLog.sums, optimizer.gradientNorm);
      const { loss, byTask, firstBad } = lossLog.summary(sums, steps);
      // With a loss scale, gradients that overflow are passed over until the scale is as small as it gets.
      if (firstBad !== undefined || (scaling ? scaling.hasDiverged(norm) : norm[2] !== 0)) {
        const bad = firstBad === undefined ? step : logged + firstBad;
        const facts = { loss, gradientNorm: norm[0], learningRate: learningRateAt(bad, schedule) };
        const files = failedBatchFiles(
          { step: bad, facts, microBatches: plan.microBatches(bad) },
          source,
          input.decode,
        );
        throw new DivergenceError(
          `Training stopped at step ${bad + 1}: the loss is ${loss}, the gradient norm ${
            norm[0]
          }, expected finite ` +
            `numbers. What it learned from is in ${await run.saveFailedBatch(
              bad + 1,
              files,
            )}; the checkpoints ` +
            "before are intact. Start another run with a lower --learning-rate",
        );
      }
      logged = state.step;
      state.seconds = (performance.now() - startedAt) / 1000;
      const learningRate = learningRateAt(step, schedule);
      await log({
        epoch: round(plan.epochAt(state.step), 3),
        loss: round(loss, 5),
        ...(source.tasks.length > 1 ? { taskLoss: rounded(byTask, 5) } : {}),
        gradNorm: round(norm[0], 4),
        learningRate,
        seconds: round(state.seconds, 1),
      });
      input.onStep?.(state.step, `loss ${loss.toFixed(3)}`);
    }

    await listener.listen();
    state.validationDue = validation !== undefined && (last || plan.isEvaluation(state.step));
    const best = state.validationDue && !signal.aborted && await validate();
    state.seconds = (performance.now() - startedAt) / 1000;
    if (last || signal.aborted || isEarly() || best || plan.isSave(state.step)) await save(best);
  }

  training.destroy();
  await observer?.close();
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

function rounded(values: Record<string, number>, digits: number): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, round(value, digits)]));
}

import type { PackedBatch } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import { PhiloxStream } from "../data/philox.ts";
import type { Device } from "../kernels/device.ts";
import { sumFlat } from "../kernels/sum.ts";
import { Tape } from "../kernels/tape.ts";
import { type DecoderConfig, parseDecoderConfig } from "../models/config.ts";
import { Decoder } from "../models/decoder.ts";
import { PackedTokensBuffer } from "../models/packed_tokens.ts";
import { encodeItems } from "../sid/prompt.ts";
import type { SidVocabulary } from "../sid/tokens.ts";
import {
  checkpointFiles,
  DivergenceError,
  formatState,
  loadTrainer,
  type TrainerState,
} from "./checkpoint.ts";
import { Optimizer } from "../models/optimizer.ts";
import type { RunDirectory } from "./run_directory.ts";
import { learningRateAt, type Schedule } from "../models/schedule.ts";
import type { SftConfig } from "./sft_config.ts";
import { SftData } from "./sft_data.ts";
import { Validation, type ValidationResult } from "./validation.ts";

/** What to train on, and how. */
export interface SftInput {
  /** Device to train on. */
  device: Device;
  /** Its train split or histories are learned, its valid split validates. */
  dataset: Dataset;
  /** SID of each item in token strings, one an item of `dataset`. */
  sids: string[][];
  /** Token ids; must know all tokens of `sids`. */
  vocabulary: SidVocabulary;
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
 * Next-item training of a decoder from scratch on SIDs: the main loop. A run that was stopped, even killed, and resumed
 * gives the same bytes as one that was not. Throws {@link DivergenceError} when loss or weights are not finite.
 */
export async function trainSft(input: SftInput): Promise<SftResult> {
  const { device, config, run, signal } = input;
  const itemTokens = encodeItems(input.vocabulary, input.sids);
  const data = new SftData(input.dataset, itemTokens, input.vocabulary.bosId, config, config.seed);
  const plan = planSteps(data, config);
  const schedule: Schedule = {
    name: config.lrSchedulerType,
    learningRate: config.learningRate,
    warmupSteps: config.warmupSteps,
    totalSteps: plan.total,
    minRatio: config.minLearningRateRatio,
  };

  const decoder = new Decoder(device, modelConfig(input.vocabulary, config, itemTokens));
  const { parameters } = decoder;
  initialise(decoder, config.seed);
  const optimizer = new Optimizer(parameters, {
    beta1: config.adamBeta1,
    beta2: config.adamBeta2,
    eps: config.adamEpsilon,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
    emaDecay: config.emaDecay,
  });
  let state: TrainerState = { step: 0, best: null, seconds: 0, pending: [], validationDue: false };
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

  const buffer = new PackedTokensBuffer(device, data.capacity, decoder.vocabulary);
  const { targets, weights } = buffer.packed;
  const rowLoss = device.createFlat("f32", targets.length);
  const stats = device.createFlat("f32", 4 * targets.length);
  const control = device.createFlat("u32", 4); // [slot of the loss log]
  const dropoutSeed = device.createFlat("u32", 4);
  const lossLog = device.createFlat("f32", config.loggingSteps * config.gradientAccumulationSteps);
  const validation = config.evalSamples === 0 ? undefined : new Validation({
    device,
    dataset: input.dataset,
    bos: input.vocabulary.bosId,
    maxHistory: config.maxHistory,
    samples: config.evalSamples,
    beams: config.evalBeams,
    seed: config.seed,
  }, itemTokens);
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
    record(data.batch(0, 0), 1);
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
  device.write(lossLog, new Float32Array(state.pending));
  const pendingLosses = async () => {
    const [losses] = await device.read(lossLog);
    return [...losses.subarray(0, (state.step - logged) * config.gradientAccumulationSteps)];
  };
  const save = async (best: boolean) => {
    state.pending = await pendingLosses();
    const arrays = await optimizer.state();
    await run.saveCheckpoint(state.step, checkpointFiles(decoder, arrays, state), best);
  };
  /** Whether the validation ran and is the best so far. */
  const validate = async () => {
    const result = await optimizer.withAverage(() => validation!.run(decoder, signal));
    if (!result) return false;
    const best = !state.best || result.ndcg10 > state.best.score;
    state.best = best
      ? { score: result.ndcg10, step: state.step, stale: 0 }
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
    const batches = micro.map(({ epoch, index }) => data.batch(epoch, index));
    const weightSum = batches.reduce((sum, batch) => sum + batch.counts.weightSum, 0);
    optimizer.prepare(step, learningRateAt(step, schedule));
    device.clear(parameters.gradients);
    batches.forEach((batch, i) => {
      device.write(dropoutSeed, new Uint32Array([config.seed, i, step, 0]));
      device.write(control, new Uint32Array([(step - logged) * config.gradientAccumulationSteps + i]));
      record(batch, weightSum);
      sumFlat(device, rowLoss, rowLoss.length, lossLog, control);
      tokensDone += batch.counts.tokens;
    });
    optimizer.step();
    device.submit();
    state.step++;

    const last = state.step === plan.total;
    if (state.step - logged === config.loggingSteps || last) {
      const steps = state.step - logged;
      const [losses, norm] = await device.read(lossLog, optimizer.gradientNorm);
      const used = losses.subarray(0, steps * config.gradientAccumulationSteps);
      const loss = used.reduce((a, b) => a + b, 0) / steps;
      if (!Number.isFinite(loss) || norm[2] !== 0) {
        throw new DivergenceError(
          `Training stopped at step ${state.step}: the loss is ${loss}, the gradient norm ${
            norm[0]
          }, expected finite ` +
            "numbers. The checkpoints before are intact. Start another run with a lower --learning-rate",
        );
      }
      device.clear(lossLog); // the last step of an epoch may have fewer micro batches
      logged = state.step;
      state.seconds = (performance.now() - startedAt) / 1000;
      const learningRate = learningRateAt(step, schedule);
      await run.log({
        step: state.step,
        epoch: round(plan.epochAt(state.step), 3),
        loss: round(loss, 5),
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

/** Which micro batches each step takes: fixed by the seed, whatever was interrupted. */
function planSteps(data: SftData, config: SftConfig) {
  const perEpoch: number[] = [];
  const accumulation = config.gradientAccumulationSteps;
  const ends: number[] = [];
  let total = 0;
  for (let epoch = 0; epoch < config.numTrainEpochs; epoch++) {
    perEpoch.push(data.batches(epoch));
    total += Math.ceil(perEpoch[epoch] / accumulation);
    ends.push(total);
  }
  const limit = config.maxSteps > 0 ? Math.min(config.maxSteps, total) : total;
  const epochOf = (step: number) => ends.findIndex((end) => step < end);
  const isDue = (step: number, every: number) => every > 0 ? step % every === 0 : ends.includes(step);
  return {
    total: limit,
    microBatches(step: number) {
      const epoch = epochOf(step);
      const first = (step - (epoch === 0 ? 0 : ends[epoch - 1])) * accumulation;
      const count = Math.min(accumulation, perEpoch[epoch] - first);
      return Array.from({ length: count }, (_, i) => ({ epoch, index: first + i }));
    },
    epochAt(step: number) {
      const epoch = epochOf(step - 1);
      const start = epoch === 0 ? 0 : ends[epoch - 1];
      return epoch + (step - start) / (ends[epoch] - start);
    },
    isEvaluation: (step: number) => isDue(step, config.evalSteps),
    isSave: (step: number) => isDue(step, config.saveSteps || config.evalSteps),
  };
}

function modelConfig(
  vocabulary: SidVocabulary,
  config: SftConfig,
  itemTokens: readonly Uint32Array[],
): DecoderConfig {
  const longest = itemTokens.reduce((max, { length }) => Math.max(max, length), 0);
  const items = Math.max(config.maxHistory + 1, config.mode === "histories" ? config.maxSequenceItems : 0);
  return parseDecoderConfig({
    model_type: config.modelType,
    vocab_size: vocabulary.size,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    num_key_value_heads: config.numKeyValueHeads,
    max_position_embeddings: 1 + items * longest,
    tie_word_embeddings: config.tieWordEmbeddings,
    initializer_range: config.initializerRange,
    bos_token_id: vocabulary.bosId,
    eos_token_id: vocabulary.eosId,
    pad_token_id: vocabulary.padId,
  }, "the model settings");
}

// Outputs that are added to the residual stream start smaller, by the number of such additions (Radford et al. 2019).
function initialise(decoder: Decoder, seed: number): void {
  const { parameters, config, device } = decoder;
  const stream = new PhiloxStream(seed, "weights");
  const values = parameters.initial(
    () => stream.normal(),
    ({ name }) =>
      config.initializer_range /
      (/o_proj|down_proj/.test(name) ? Math.sqrt(2 * config.num_hidden_layers) : 1),
  );
  device.write(parameters.values, values);
  parameters.refresh();
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

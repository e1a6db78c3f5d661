import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { Optimizer } from "../../models/optimizer/optimizer.ts";
import type { TensorMap } from "../../models/parameters/parameters.ts";
import type { ParameterSpec } from "../../models/parameters/spec.ts";
import { type QuantizedLatents, ResidualQuantizer } from "../../models/quantizer/residual.ts";
import { reconstruction, RqVae, type RqVaeShape } from "../../models/quantizer/rq_vae.ts";
import { learningRateAt } from "../../models/optimizer/schedule.ts";
import { type Embeddings, pickRows } from "../embeddings.ts";
import { TermLog } from "./term_log.ts";
import type { SidProgress } from "../method.ts";
import { shuffledBatches, splitItems } from "./batches.ts";
import { kmeansCodebooks, reviveCodewords } from "./codebooks.ts";
import { codeRows, latentsOf } from "./codes.ts";
import { CRITERIA, type Criterion, type QuantizerConfig } from "./config.ts";
import { codePaths, evaluateCodes, isBetter, type QuantizerEvaluation } from "./evaluation.ts";
import { Uniqueness } from "./uniqueness.ts";

/** One training step, after its forward pass: what a loss of a method's own may read. */
export interface QuantizerStep {
  /** Steps before this one, and epochs. */
  step: number;
  epoch: number;
  /** Rows of the input that the batch holds, B. */
  items: Uint32Array;
  /** The model; losses on codebooks add to `model.parameters.gradient("codebook.0")` … */
  model: RqVae;
  /** Normalised inputs (B, width). */
  input: Matrix;
  /** Encoder outputs (B, latentWidth); losses on them call `tape.accumulate(latents, …)`. */
  latents: Matrix;
  /** Codes and sums of codewords. A gradient of `quantized.quantized` goes straight through to the latents. */
  quantized: QuantizedLatents;
  /** Logs a term of the loss for this step: `factor` times the sum of the first `rows` of `rowLoss`. */
  log(term: string, rowLoss: Flat, rows: number, factor?: number): void;
}

/** What a method changes of the training. Every part is optional. */
export interface QuantizerHooks {
  /** Parameters of the extra losses, such as a projection; trained and kept with the model's, not needed to code. */
  parameters?: readonly ParameterSpec[];
  /** How many levels take part in a step, the first ones. Default: all. */
  activeLevels?(step: number): number;
  /**
   * Batches of an epoch, at most `batchSize` rows each. `items` are the rows to train on; rows with the same entry in
   * `groups`, there after the first evaluation, should share a batch. Default: `items`, shuffled.
   */
  batches?(epoch: number, items: Uint32Array, groups?: readonly string[]): Uint32Array[];
  /** Called before each epoch, for work on the host such as clustering codewords anew. */
  beforeEpoch?(epoch: number, model: RqVae): Promise<void> | void;
  /**
   * Adds losses to those of reconstruction and quantisation. Runs inside the scope of the step, between forward and
   * backward pass: matrices come from the pool, gradients are left by `tape.record()` or, where the gradient is known
   * already, by `tape.accumulate()` inside a recorded step. Each term is logged, so that they add up to the loss.
   */
  extraLoss?(tape: Tape, step: QuantizerStep): void;
}

/** How training starts and what it changes of the plain method. */
export interface QuantizerOptions {
  hooks?: QuantizerHooks;
  /** Replaces fresh weights, codebooks included: then there is no k-means start. */
  initial?(fresh: TensorMap): TensorMap;
  onProgress?(progress: SidProgress): void;
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
 * Trains an autoencoder with residual codebooks on normalised inputs (N, width): AdamW, k-means start, unused codewords
 * revived at every evaluation, the best evaluation's weights kept. Nothing is read back within a step.
 * @throws {UserError} if the loss is not finite, or the levels have not one Sinkhorn epsilon each.
 */
export async function trainQuantizer(
  device: Device,
  data: Embeddings,
  shape: RqVaeShape,
  config: QuantizerConfig,
  { hooks = {}, initial, onProgress }: QuantizerOptions = {},
): Promise<TrainedQuantizer> {
  const { codebookSizes } = shape;
  const epsilons = config.sinkhornEpsilons.length;
  if (epsilons > 0 && epsilons !== codebookSizes.length) {
    throw new UserError(
      `Cannot train ${codebookSizes.length} levels with ${epsilons} numbers in --sinkhorn-epsilons: expected one a level`,
    );
  }
  const { items, unseen } = splitItems(data.rows, config.holdOut, config.seed);
  const batchSize = Math.min(config.batchSize, items.length);
  let paths: string[] | undefined; // codes of every item at the last evaluation
  const batchesOf = (epoch: number) =>
    hooks.batches?.(epoch, items, paths) ?? shuffledBatches(items, batchSize, config.seed, epoch, paths);
  const stepsPerEpoch = batchesOf(0).length;
  const schedule = {
    name: config.lrSchedulerType,
    learningRate: config.learningRate,
    warmupSteps: config.warmupEpochs * stepsPerEpoch,
    totalSteps: config.epochs * stepsPerEpoch,
    minRatio: 0,
  };
  const model = new RqVae(device, shape, hooks.parameters);
  const quantizer = new ResidualQuantizer(device, codebookSizes, batchSize);
  const optimizer = new Optimizer(model.parameters, {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
    emaDecay: 0,
  });
  const uniqueness = config.uniquenessWeight > 0
    ? new Uniqueness(device, batchSize, config.uniquenessWeight)
    : undefined;
  const log = new TermLog(device, READ_EVERY);
  const rowLoss = device.createFlat("f32", batchSize);
  const dropoutSeed = device.createFlat("u32", 4);
  const weights = new Map<number, Flat>(); // by rows of a batch: the last of an epoch may be shorter

  const train = (step: number, epoch: number, batch: Uint32Array) => {
    const rows = batch.length;
    if (!weights.has(rows)) {
      weights.set(rows, device.createFlat("f32", new Float32Array(rows).fill(1 / (rows * data.dim))));
    }
    optimizer.prepare(step, learningRateAt(step, schedule));
    model.parameters.clearGradients();
    log.begin();
    if (config.dropout > 0) device.write(dropoutSeed, Uint32Array.of(config.seed, 0, step, 0));
    const dropout = config.dropout > 0 ? { rate: config.dropout, seed: dropoutSeed } : undefined;
    device.scope(() => {
      const input = device.matrix(rows, data.dim);
      device.write(input, pickRows(data.data, batch, data.dim));
      const tape = new Tape(device, true);
      const latents = model.encode(tape, input, dropout);
      const quantized = quantizer.quantize(tape, model.parameters, latents, {
        levels: hooks.activeLevels?.(step) ?? codebookSizes.length,
        lossWeight: config.quantLossWeight,
        beta: config.beta,
        residualGradients: config.residualGradients,
        sinkhorn: { epsilons: config.sinkhornEpsilons, iterations: config.sinkhornIterations },
      });
      const prediction = model.decode(tape, quantized.quantized, dropout);
      reconstruction(tape, prediction, input, weights.get(rows)!, rowLoss, config.reconstructionLoss);
      log.add("reconstruction", rowLoss, rows);
      quantized.distances.forEach((distances, level) =>
        log.add(`quantization ${level + 1}`, distances, rows, quantized.distanceWeight)
      );
      if (uniqueness && quantized.labels.length === codebookSizes.length) {
        uniqueness.add(tape, latents, quantized, weights.get(rows)!, data.dim);
        log.add("uniqueness", uniqueness.rowLoss, rows);
      }
      hooks.extraLoss?.(tape, {
        step,
        epoch,
        items: batch,
        model,
        input,
        latents,
        quantized,
        log: (term, values, count, factor) => log.add(term, values, count, factor),
      });
      tape.backward();
      optimizer.step();
    });
  };

  try {
    const fresh = model.initial(config.seed);
    model.load(initial?.(fresh) ?? fresh, "fresh weights");
    if (!initial && config.codebookStart !== "uniform") {
      const some = config.codebookStart === "kmeans" ? items : batchesOf(0)[0];
      const start = { data: pickRows(data.data, some, data.dim), rows: some.length, dim: data.dim };
      const latents = { data: await latentsOf(model, start), rows: some.length, dim: shape.latentWidth };
      const options = { iterations: config.startIterations, seed: config.seed };
      const codebooks = await kmeansCodebooks(device, latents, codebookSizes, options);
      model.load(new Map([...fresh, ...codebooks]), "fresh weights");
    }

    const best: Partial<Record<Criterion, QuantizerEvaluation>> = {};
    const checkpoints: Partial<Record<Criterion, TensorMap>> = {};
    let collisions = { rate: Infinity, stale: 0 };
    let revived = 0;
    let step = 0;
    let epoch = 0;
    let losses: number[] = [];
    let state = "start";
    const readLosses = async () => {
      losses.push(...totals(await log.read()));
      const loss = losses.at(-1)!;
      if (Number.isFinite(loss)) return;
      throw new UserError(
        `Cannot train the quantiser: the loss is ${loss} in epoch ${epoch + 1}, expected a finite one. ` +
          "Use a lower --learning-rate, or --normalize center",
      );
    };
    const isStale = () => config.patience > 0 && collisions.stale >= config.patience;
    while (epoch < config.epochs && !isStale()) {
      await hooks.beforeEpoch?.(epoch, model);
      for (const batch of batchesOf(epoch)) {
        train(step++, epoch, batch);
        if (!log.full) continue;
        await readLosses();
        onProgress?.({ done: epoch, total: config.epochs, state });
      }
      epoch++;
      const last = epoch === config.epochs;
      if (epoch % config.evalEpochs !== 0 && !last) continue;
      await readLosses();
      const loss = losses.slice(-stepsPerEpoch).reduce((sum, value) => sum + value, 0) / stepsPerEpoch;
      losses = [];
      const coded = await codeRows(model, data);
      const evaluation = evaluateCodes(coded, codebookSizes, { epoch, loss }, unseen);
      const improved = CRITERIA.filter((criterion) => {
        const before = best[criterion];
        return before === undefined || isBetter(evaluation, before, criterion);
      });
      if (improved.length > 0) {
        const tensors = await model.tensors();
        for (const criterion of improved) {
          best[criterion] = evaluation;
          checkpoints[criterion] = tensors;
        }
      }
      if (uniqueness) paths = codePaths(coded.codes, codebookSizes.length);
      const { collisionRate: rate } = evaluation;
      collisions = rate < collisions.rate
        ? { rate, stale: 0 }
        : { ...collisions, stale: collisions.stale + 1 };
      if (config.resetDeadCodes && !last && evaluation.usage.some((share) => share < 1)) {
        revived += await revive(model, optimizer, data, coded.codes, items);
      }
      state = `loss ${loss.toPrecision(4)}, collisions ${(100 * rate).toFixed(2)} %`;
      onProgress?.({ done: epoch, total: config.epochs, state });
    }
    const all = best as Record<Criterion, QuantizerEvaluation>;
    const stopped = epoch < config.epochs ? "early" : "finished";
    return {
      checkpoints: checkpoints as Record<Criterion, TensorMap>,
      kept: all[config.keep],
      best: all,
      epochs: epoch,
      stopped,
      revived,
    };
  } finally {
    optimizer.destroy();
    quantizer.destroy();
    uniqueness?.destroy();
    log.destroy();
    [rowLoss, dropoutSeed, ...weights.values()].forEach((flat) => device.destroy(flat));
    model.destroy();
  }
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
  optimizer.restore(
    { ...state, values: parameters.fromTensors(values, "revived codewords"), m, v },
    "memory",
  );
  return moved.length;
}

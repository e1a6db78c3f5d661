import type { Device } from "../../kernels/gpu/device.ts";
import { Tape } from "../../kernels/tape.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import type { Optimizer } from "../../models/optimizer/optimizer.ts";
import { ResidualQuantizer } from "../../models/quantizer/residual.ts";
import { reconstruction, type RqVae } from "../../models/quantizer/rq_vae.ts";
import { type Embeddings, pickRows } from "../embeddings.ts";
import type { QuantizerConfig } from "./config.ts";
import type { QuantizerHooks } from "./hooks.ts";
import type { TermLog } from "./term_log.ts";
import { Uniqueness } from "./uniqueness.ts";

/** What a step computes with. */
export interface AutoencoderStepParts {
  device: Device;
  model: RqVae;
  optimizer: Optimizer;
  /** Normalised inputs of all items. */
  data: Embeddings;
  /** Rows of the largest batch. */
  batchSize: number;
  hooks: QuantizerHooks;
  log: TermLog;
}

/** Which rows a step learns from, and where in the run. */
export interface AutoencoderBatch {
  /** Steps before this one, and epochs. */
  step: number;
  epoch: number;
  /** Rows of the data. */
  items: Uint32Array;
  learningRate: number;
}

/** Optimizer steps of an autoencoder with codebooks: work is submitted, nothing is read. */
export class AutoencoderStep {
  #parts: AutoencoderStepParts;
  #config: QuantizerConfig;
  #quantizer: ResidualQuantizer;
  #uniqueness: Uniqueness | undefined;
  #rowLoss: Flat;
  #dropoutSeed: Flat;
  /** By rows of a batch: the last of an epoch may be shorter. */
  #weights = new Map<number, Flat>();

  constructor(parts: AutoencoderStepParts, config: QuantizerConfig) {
    const { device, model, batchSize } = parts;
    this.#parts = parts;
    this.#config = config;
    this.#quantizer = new ResidualQuantizer(device, model.shape.codebookSizes, batchSize);
    this.#uniqueness = config.uniquenessWeight > 0
      ? new Uniqueness(device, batchSize, config.uniquenessWeight)
      : undefined;
    this.#rowLoss = device.createFlat("f32", batchSize);
    this.#dropoutSeed = device.createFlat("u32", 4);
  }

  /** Forward, backward and update; every term of the loss goes to the log. */
  run({ step, epoch, items, learningRate }: AutoencoderBatch): void {
    const { device, model, optimizer, data, hooks, log } = this.#parts;
    const config = this.#config;
    const rows = items.length, levels = model.shape.codebookSizes.length;
    const weights = this.#weightsOf(rows);
    optimizer.prepare(step, learningRate);
    model.parameters.clearGradients();
    log.begin();
    if (config.dropout > 0) device.write(this.#dropoutSeed, Uint32Array.of(config.seed, 0, step, 0));
    const dropout = config.dropout > 0 ? { rate: config.dropout, seed: this.#dropoutSeed } : undefined;
    device.scope(() => {
      const input = device.matrix(rows, data.dim);
      device.write(input, pickRows(data.data, items, data.dim));
      const tape = new Tape(device, true);
      const latents = model.encode(tape, input, dropout);
      const quantized = this.#quantizer.quantize(tape, model.parameters, latents, {
        levels: hooks.activeLevels?.(step) ?? levels,
        lossWeight: config.quantLossWeight,
        beta: config.beta,
        residualGradients: config.residualGradients,
        sinkhorn: { epsilons: config.sinkhornEpsilons, iterations: config.sinkhornIterations },
      });
      const prediction = model.decode(tape, quantized.quantized, dropout);
      reconstruction(tape, prediction, input, weights, this.#rowLoss, config.reconstructionLoss);
      log.add("reconstruction", this.#rowLoss, rows);
      quantized.distances.forEach((distances, level) =>
        log.add(`quantization ${level + 1}`, distances, rows, quantized.distanceWeight)
      );
      if (this.#uniqueness && quantized.labels.length === levels) {
        this.#uniqueness.add(tape, latents, quantized, weights, data.dim);
        log.add("uniqueness", this.#uniqueness.rowLoss, rows);
      }
      hooks.extraLoss?.(tape, {
        step,
        epoch,
        items,
        model,
        input,
        latents,
        quantized,
        log: (term, values, count, factor) => log.add(term, values, count, factor),
      });
      tape.backward();
      optimizer.step();
    });
  }

  /** Frees its arrays. */
  destroy(): void {
    const { device } = this.#parts;
    this.#quantizer.destroy();
    this.#uniqueness?.destroy();
    for (const flat of [this.#rowLoss, this.#dropoutSeed, ...this.#weights.values()]) device.destroy(flat);
  }

  /** Weights of the squared errors of so many rows, which make their mean. */
  #weightsOf(rows: number): Flat {
    let weights = this.#weights.get(rows);
    if (!weights) {
      const each = 1 / (rows * this.#parts.data.dim);
      weights = this.#parts.device.createFlat("f32", new Float32Array(rows).fill(each));
      this.#weights.set(rows, weights);
    }
    return weights;
  }
}

import { scale } from "../../kernels/elementwise/add.ts";
import { clusterRows } from "../../kernels/clustering/cluster_rows.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { embedBackward } from "../../kernels/rows/embedding.ts";
import { kmeansAssign } from "../../kernels/clustering/assign.ts";
import { reconstructionLoss, reconstructionLossBackward } from "../../kernels/quantizer/reconstruction.ts";
import { sinkhornLabels, type SinkhornScratch } from "../../kernels/clustering/sinkhorn.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { vectorQuantize } from "../../kernels/quantizer/vector_quantize.ts";
import type { Parameters } from "../parameters/parameters.ts";
import type { ParameterSpec } from "../parameters/spec.ts";

/** How latents are quantised, and what the quantisation loss weighs. */
export interface QuantizeOptions {
  /** Levels that take part, the first ones; the others have neither codes nor loss. */
  levels: number;
  /** Weight λ of the mean over levels of the codebook and commitment losses. */
  lossWeight: number;
  /** Weight β of the commitment loss beside the codebook loss. */
  beta: number;
  /**
   * Whether the commitment of every level reaches the encoder. Without it only that of the first does: what a straight-
   * through codeword leaves over has no gradient.
   */
  residualGradients: boolean;
  /** Weight of each row in the means of the losses, f32 (N) of sum 1; rows of weight 0 take no part. Default: all alike. */
  weights?: Flat;
  /** Spreads the rows of a batch over the codewords of a level where its epsilon is above 0. Default: nearest codewords. */
  sinkhorn?: { epsilons: readonly number[]; iterations: number };
}

/** Latents (N, D) as codewords say them. */
export interface QuantizedLatents {
  /** Sum of the codewords of the levels that took part (N, D); its gradient goes straight through to the latents. */
  quantized: Matrix;
  /** Sums of the codewords up to each level, (N, D) each; no gradient passes through them. */
  sums: Matrix[];
  /** What each level coded, (N, D) each: the latents on the first. */
  residuals: Matrix[];
  /** Codeword of each row on each level, u32 (N) in a flat that may be longer. */
  labels: Flat[];
  /**
   * Squared distance of each row to its codeword on each level, times the weight of the row where rows have one; f32
   * (N) in a flat that may be longer.
   */
  distances: Flat[];
  /** What the distances of all levels together are multiplied by in the loss. */
  distanceWeight: number;
}

interface LevelState {
  name: string;
  labels: Flat;
  distances: Flat;
  offsets: Flat;
  members: Flat;
}

/** Codebooks as parameters: `codebook.0` (K, D) … */
export function codebookParameters(codebookSizes: readonly number[], dim: number): ParameterSpec[] {
  return codebookSizes.map((rows, level) => (
    { name: `codebook.${level}`, rows, cols: dim, init: "zeros", decay: true, product: false }
  ));
}

/**
 * Residual vector quantisation with a straight-through estimator (van den Oord et al. 2017; Lee et al. 2022): level l
 * codes what the codewords of the levels before left over, by the nearest codeword. Loss of a level: mean of
 * |codeword - residual|^2, once for the codebook alone, and β times for the encoder alone.
 */
export class ResidualQuantizer {
  readonly #device: Device;
  readonly #levels: LevelState[];
  readonly #scratch: SinkhornScratch;

  /** Room for up to `rows` latents at a time. */
  constructor(device: Device, codebookSizes: readonly number[], rows: number) {
    this.#device = device;
    this.#levels = codebookSizes.map((codewords, level) => ({
      name: `codebook.${level}`,
      labels: device.createFlat("u32", rows),
      distances: device.createFlat("f32", rows),
      offsets: device.createFlat("u32", codewords + 1),
      members: device.createFlat("u32", rows),
    }));
    this.#scratch = {
      extremes: device.createFlat("f32", 2),
      rows: device.createFlat("f32", rows),
      cols: device.createFlat("f32", Math.max(...codebookSizes)),
    };
  }

  /** latents (N, D), `parameters` with those of {@link codebookParameters}. */
  quantize(tape: Tape, parameters: Parameters, latents: Matrix, options: QuantizeOptions): QuantizedLatents {
    const device = this.#device;
    const { weights } = options;
    const levels = this.#levels.slice(0, options.levels);
    const residuals = [latents];
    const sums: Matrix[] = [];
    for (const [level, { name, labels, distances }] of levels.entries()) {
      const codebook = parameters.matrix(name);
      const residual = residuals.at(-1)!;
      const epsilon = options.sinkhorn?.epsilons[level] ?? 0;
      if (epsilon > 0) {
        const settings = { epsilon, iterations: options.sinkhorn!.iterations };
        sinkhornLabels(device, residual, codebook, labels, distances, this.#scratch, settings);
      } else kmeansAssign(device, residual, codebook, labels, distances);
      const next = vectorQuantize(device, residual, codebook, labels, sums.at(-1));
      residuals.push(next.residual);
      sums.push(next.sum);
      if (weights) reconstructionLoss(device, next.sum, latents, weights, distances, "mse");
    }
    const quantized = sums.at(-1)!;
    const weight = options.lossWeight / (levels.length * latents.cols * (weights ? 1 : latents.rows));
    tape.record(() => {
      const gradient = tape.gradient(quantized);
      if (gradient) tape.accumulate(latents, gradient);
      if (weight === 0) return;
      levels.forEach(({ name, labels, offsets, members }, level) => {
        // What is left over is latents - sum: twice of it, weighted by row, is the slope of its squares.
        const left = weights
          ? reconstructionLossBackward(device, latents, sums[level], weights, "mse")
          : residuals[level + 1];
        const slope = weights ? weight : 2 * weight;
        clusterRows(device, labels, latents.rows, offsets, members);
        const pull = scale(device, left, -slope);
        const gradient = parameters.gradient(name);
        if (gradient) embedBackward(device, pull, offsets, members, gradient, true);
        device.release(pull);
        if (level === 0 || options.residualGradients) {
          tape.accumulate(latents, scale(device, left, slope * options.beta));
        }
        if (weights) device.release(left);
      });
    });
    return {
      quantized,
      sums,
      residuals: residuals.slice(0, -1),
      labels: levels.map(({ labels }) => labels),
      distances: levels.map(({ distances }) => distances),
      distanceWeight: weight * (1 + options.beta),
    };
  }

  /** Frees everything on the device. */
  destroy(): void {
    Object.values(this.#scratch).forEach((flat) => this.#device.destroy(flat));
    for (const { labels, distances, offsets, members } of this.#levels) {
      [labels, distances, offsets, members].forEach((flat) => this.#device.destroy(flat));
    }
  }
}

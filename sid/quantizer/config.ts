import { z } from "zod";
import { RECONSTRUCTION_LOSSES, type ReconstructionLoss } from "../../kernels/quantizer/reconstruction.ts";
import type { RqVaeShape } from "../../models/quantizer/rq_vae.ts";
import { type ScheduleName, SCHEDULES } from "../../models/optimizer/schedule.ts";
import { VECTOR_SCALINGS, type VectorScaling } from "../normalize.ts";

/** Where codebooks start: k-means of the latents of all items or of the first batch, or uniform noise in ±1 / K. */
export const CODEBOOK_STARTS = ["kmeans", "kmeans-batch", "uniform"] as const;
/** One of {@link CODEBOOK_STARTS}. */
export type CodebookStart = typeof CODEBOOK_STARTS[number];

/** What an evaluation is judged by: train loss, share of items without a SID of their own, evenness of code use. */
export const CRITERIA = ["loss", "collision", "gini"] as const;
/** One of {@link CRITERIA}. */
export type Criterion = typeof CRITERIA[number];

/** How an autoencoder with residual codebooks is trained: what all methods that do so share. */
export interface QuantizerConfig {
  /** Hidden layers of the encoder; empty: see {@link quantizerShape}. Default: empty. */
  layers: number[];
  /** Width of latents and codewords. Default: 32. */
  latentDim: number;
  /** Default: center. */
  normalize: VectorScaling;
  /** Passes over the items. Default: 150. */
  epochs: number;
  /** Items of a step. Default: 256. */
  batchSize: number;
  /** Peak of AdamW's learning rate. Default: 3e-3. */
  learningRate: number;
  /** Default: cosine. */
  lrSchedulerType: ScheduleName;
  /** Epochs of linear warmup. Default: 10. */
  warmupEpochs: number;
  /** Decoupled weight decay on every parameter. Default: 0. */
  weightDecay: number;
  /** Largest gradient norm; 0 never clips. Default: 1. */
  maxGradNorm: number;
  /** Dropout before every linear layer. Default: 0. */
  dropout: number;
  /** Whether hidden layers are batch-normalised. Default: false. */
  batchNorm: boolean;
  /** Default: mse. */
  reconstructionLoss: ReconstructionLoss;
  /** Weight λ of the quantisation loss. Default: 1. */
  quantLossWeight: number;
  /** Weight β of the commitment loss. Default: 0.25. */
  beta: number;
  /** Whether the commitment of levels after the first reaches the encoder too. Default: true. */
  residualGradients: boolean;
  /** Epsilon by level of the Sinkhorn assignment in training; 0, or empty for all: nearest codewords. Default: empty. */
  sinkhornEpsilons: number[];
  /** Rounds of the Sinkhorn assignment. Default: 50. */
  sinkhornIterations: number;
  /** Weight of the loss that drives items with equal codes apart; 0 leaves it out. Default: 30. */
  uniquenessWeight: number;
  /** Default: kmeans. */
  codebookStart: CodebookStart;
  /** Most k-means iterations of the start. Default: 100. */
  startIterations: number;
  /** Whether codewords that no item uses move to badly coded items. Default: true. */
  resetDeadCodes: boolean;
  /** Epochs between evaluations. Default: 2. */
  evalEpochs: number;
  /** Evaluations without a lower collision rate after which training stops; 0: never. Default: 0. */
  patience: number;
  /** Criterion of the epoch whose weights are kept. Default: collision. */
  keep: Criterion;
  /** Share of the items that is only evaluated. Default: 0. */
  holdOut: number;
  /** Seed of everything random. Default: 42. */
  seed: number;
}

const count = (min = 1) => z.int().min(min);
const positive = z.number().positive();

/** Settings with defaults and help, for the schema of a method. */
export const quantizerFields = {
  layers: z.array(count()).default([]).describe(
    "widths of the encoder's hidden layers, such as 2048,1024,512,256,128,64; empty: halving from the input's",
  ),
  latentDim: count().default(32).describe("width of latents and codewords"),
  normalize: z.enum(VECTOR_SCALINGS).default("center").describe(
    "what is done to embeddings first: center (one scale for all dimensions), standardize (each its own), l2 (rows)",
  ),
  epochs: count().default(150).describe("passes over the items"),
  batchSize: count().default(256).describe("items of a step"),
  learningRate: positive.default(3e-3).describe("peak learning rate of AdamW"),
  lrSchedulerType: z.enum(SCHEDULES).default("cosine").describe("decay of the learning rate"),
  warmupEpochs: count(0).default(10).describe("epochs of linear warmup"),
  weightDecay: z.number().min(0).default(0).describe("decoupled weight decay on every parameter"),
  maxGradNorm: z.number().min(0).default(1).describe("largest gradient norm; 0 never clips"),
  dropout: z.number().min(0).lt(1).default(0).describe("dropout before every linear layer"),
  batchNorm: z.boolean().default(false).describe("batch-normalise hidden layers"),
  reconstructionLoss: z.enum(RECONSTRUCTION_LOSSES).default("mse").describe(
    "squared or absolute differences",
  ),
  quantLossWeight: z.number().min(0).default(1).describe("weight of the quantisation loss"),
  beta: z.number().min(0).default(0.25).describe("weight of the commitment loss"),
  residualGradients: z.boolean().default(true).describe(
    "let the commitment of levels after the first reach the encoder",
  ),
  sinkhornEpsilons: z.array(z.number().min(0)).default([]).describe(
    "spread each batch over the codewords in training, one epsilon a level such as 0,0,0.003; 0: nearest codewords",
  ),
  sinkhornIterations: count().default(50).describe("rounds of the Sinkhorn assignment"),
  uniquenessWeight: z.number().min(0).default(30).describe(
    "weight of the loss that drives items with equal codes apart",
  ),
  codebookStart: z.enum(CODEBOOK_STARTS).default("kmeans").describe(
    "codebooks start from k-means of all items (kmeans), of the first batch (kmeans-batch), or uniform noise",
  ),
  startIterations: count().default(100).describe("most k-means iterations of the start"),
  resetDeadCodes: z.boolean().default(true).describe("move codewords that no item uses to badly coded items"),
  evalEpochs: count().default(2).describe("epochs between evaluations over all items"),
  patience: count(0).default(0).describe("stop after so many evaluations without fewer collisions; 0: never"),
  keep: z.enum(CRITERIA).default("collision").describe("keep the epoch of the best collision, loss or gini"),
  holdOut: z.number().min(0).max(0.5).default(0).describe("share of the items that is only evaluated"),
  seed: count(0).default(42).describe("seed of everything random"),
} satisfies { [K in keyof QuantizerConfig]: z.ZodType<QuantizerConfig[K]> };

/**
 * Sizes of the autoencoder for inputs of a width. Without `layers` they halve, from the largest power of two below the
 * width to twice the latent width: 384 -> 256, 128, 64 -> 32.
 */
export function quantizerShape(
  width: number,
  codebookSizes: readonly number[],
  { layers, latentDim, batchNorm }: Pick<QuantizerConfig, "layers" | "latentDim" | "batchNorm">,
): RqVaeShape {
  const halving: number[] = [];
  for (let size = 2 ** Math.ceil(Math.log2(width) - 1); size >= 2 * latentDim; size /= 2) halving.push(size);
  return {
    width,
    layers: layers.length > 0 ? layers : halving.length > 0 ? halving : [2 * latentDim],
    latentWidth: latentDim,
    codebookSizes,
    skip: false,
    batchNorm,
  };
}

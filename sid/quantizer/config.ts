import { z } from "zod";
import { count, decay, seed, weight } from "../../base/fields.ts";
import { RECONSTRUCTION_LOSSES } from "../../kernels/quantizer/reconstruction.ts";
import type { RqVaeShape } from "../../models/quantizer/rq_vae.ts";
import { learningRate, lrSchedulerType, maxGradNorm } from "../../models/optimizer/fields.ts";
import { VECTOR_SCALINGS } from "../normalize.ts";
import type { QuantizerConfig } from "../settings.generated.ts";

export type { QuantizerConfig };

/** Where codebooks start: k-means of the latents of all items or of the first batch, or uniform noise in ±1 / K. */
export const CODEBOOK_STARTS = ["kmeans", "kmeans-batch", "uniform"] as const;
/** One of {@link CODEBOOK_STARTS}. */
export type CodebookStart = typeof CODEBOOK_STARTS[number];

/** What an evaluation is judged by: train loss, share of items without a SID of their own, evenness of code use. */
export const CRITERIA = ["loss", "collision", "gini"] as const;
/** One of {@link CRITERIA}. */
export type Criterion = typeof CRITERIA[number];

/** What keeps SIDs apart in training. */
export const uniquenessWeight = (usual: number) =>
  weight.default(usual).describe("weight of the loss that drives items with equal codes apart");

/** Settings of all methods that train an autoencoder with residual codebooks. */
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
  learningRate: learningRate(3e-3),
  lrSchedulerType,
  warmupEpochs: count(0).default(10).describe("epochs of linear warmup"),
  weightDecay: weight.default(0).describe("decoupled weight decay on every parameter"),
  maxGradNorm: maxGradNorm(1),
  dropout: decay.default(0).describe("dropout before every linear layer"),
  batchNorm: z.boolean().default(false).describe("batch-normalise hidden layers"),
  reconstructionLoss: z.enum(RECONSTRUCTION_LOSSES).default("mse").describe(
    "squared or absolute differences",
  ),
  quantLossWeight: weight.default(1).describe("weight of the quantisation loss"),
  beta: weight.default(0.25).describe("weight of the commitment loss"),
  residualGradients: z.boolean().default(true).describe(
    "let the commitment of levels after the first reach the encoder",
  ),
  sinkhornEpsilons: z.array(weight).default([]).describe(
    "spread each batch over the codewords in training, one epsilon a level such as 0,0,0.003; 0: nearest codewords",
  ),
  sinkhornIterations: count().default(50).describe("rounds of the Sinkhorn assignment"),
  uniquenessWeight: uniquenessWeight(30),
  codebookStart: z.enum(CODEBOOK_STARTS).default("kmeans").describe(
    "codebooks start from k-means of all items (kmeans), of the first batch (kmeans-batch), or uniform noise",
  ),
  startIterations: count().default(100).describe("most k-means iterations of the start"),
  resetDeadCodes: z.boolean().default(true).describe("move codewords that no item uses to badly coded items"),
  evalEpochs: count().default(2).describe("epochs between evaluations over all items"),
  patience: count(0).default(0).describe("stop after so many evaluations without fewer collisions; 0: never"),
  keep: z.enum(CRITERIA).default("collision").describe("keep the epoch of the best collision, loss or gini"),
  holdOut: weight.max(0.5).default(0).describe("share of the items that is only evaluated"),
  seed,
};

/** {@link QuantizerConfig} with its checks and defaults. */
export const QuantizerSchema = z.strictObject(quantizerFields).describe(
  "How an autoencoder with residual codebooks is trained: what all methods that do so share.",
);

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

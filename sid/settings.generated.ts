// Generated from the schemas by `deno task codegen`: change those, not this file.
import type { ReconstructionLoss } from "../kernels/quantizer/reconstruction.ts";
import type { ScheduleName } from "../models/optimizer/schedule.ts";
import type { VectorScaling } from "./normalize.ts";

/** Settings of `rqkmeans`. */
export interface RqKmeansConfig {
  /**
   * Codebooks, one a token of the SID.
   * @default 3
   */
  levels: number;
  /**
   * Codewords in each codebook.
   * @default 256
   */
  codebookSize: number;
  /**
   * Most updates of the codewords of a level.
   * @default 25
   */
  iterations: number;
  /**
   * Relative fall of the error below which a level is done.
   * @default 0.0001
   */
  tolerance: number;
  /**
   * Starts of each level; the one of least error is kept.
   * @default 3
   */
  starts: number;
  /**
   * Seed of the starts.
   * @default 42
   */
  seed: number;
}

/** Settings of `rqkmeans-balanced`. */
export interface RqKmeansBalancedConfig extends RqKmeansConfig {
  /**
   * Most rounds of Sinkhorn's algorithm a level.
   * @default 100
   */
  sinkhornIterations: number;
}

/** Settings of `rqkmeans-constrained`. */
export interface RqKmeansConstrainedConfig extends RqKmeansConfig {
  /**
   * Most updates of the codewords of a level.
   * @default 100
   */
  iterations: number;
  /**
   * Relative fall of the error below which a level is done.
   * @default 0.00001
   */
  tolerance: number;
  /**
   * Starts of each level; the one of least error is kept.
   * @default 1
   */
  starts: number;
  /**
   * Least items of a codeword; 0: items / codewords - 1.
   * @default 0
   */
  minSize: number;
  /**
   * Most items of a codeword; 0: items / codewords + 1.
   * @default 0
   */
  maxSize: number;
}

/** Settings of `opq`. */
export interface OpqConfig extends RqKmeansConfig {
  /**
   * Codebooks, one a token of the SID.
   * @default 4
   */
  levels: number;
  /**
   * Last levels, that code parts of the remainder side by side.
   * @default 2
   */
  productLevels: number;
  /**
   * Most dimensions of the rotated remainder.
   * @default 128
   */
  rotatedDim: number;
  /**
   * Updates of the rotation.
   * @default 20
   */
  rotations: number;
}

/** Settings of `rvq`. */
export interface RvqConfig extends RqKmeansConfig {
  /**
   * Beginnings of codes that encoding follows at once.
   * @default 8
   */
  beam: number;
  /**
   * Most rounds of refining all codebooks together.
   * @default 20
   */
  rounds: number;
}

/** How an autoencoder with residual codebooks is trained: what all methods that do so share. */
export interface QuantizerConfig {
  /**
   * Widths of the encoder's hidden layers, such as 2048,1024,512,256,128,64; empty: halving from the
   * input's.
   * @default []
   */
  layers: number[];
  /**
   * Width of latents and codewords.
   * @default 32
   */
  latentDim: number;
  /**
   * What is done to embeddings first: center (one scale for all dimensions), standardize (each its own), l2
   * (rows).
   * @default "center"
   */
  normalize: VectorScaling;
  /**
   * Passes over the items.
   * @default 150
   */
  epochs: number;
  /**
   * Items of a step.
   * @default 256
   */
  batchSize: number;
  /**
   * Peak learning rate.
   * @default 0.003
   */
  learningRate: number;
  /**
   * Decay of the learning rate.
   * @default "cosine"
   */
  lrSchedulerType: ScheduleName;
  /**
   * Epochs of linear warmup.
   * @default 10
   */
  warmupEpochs: number;
  /**
   * Decoupled weight decay on every parameter.
   * @default 0
   */
  weightDecay: number;
  /**
   * Largest gradient norm; 0 never clips.
   * @default 1
   */
  maxGradNorm: number;
  /**
   * Dropout before every linear layer.
   * @default 0
   */
  dropout: number;
  /**
   * Batch-normalise hidden layers.
   * @default false
   */
  batchNorm: boolean;
  /**
   * Squared or absolute differences.
   * @default "mse"
   */
  reconstructionLoss: ReconstructionLoss;
  /**
   * Weight of the quantisation loss.
   * @default 1
   */
  quantLossWeight: number;
  /**
   * Weight of the commitment loss.
   * @default 0.25
   */
  beta: number;
  /**
   * Let the commitment of levels after the first reach the encoder.
   * @default true
   */
  residualGradients: boolean;
  /**
   * Spread each batch over the codewords in training, one epsilon a level such as 0,0,0.003; 0: nearest
   * codewords.
   * @default []
   */
  sinkhornEpsilons: number[];
  /**
   * Rounds of the Sinkhorn assignment.
   * @default 50
   */
  sinkhornIterations: number;
  /**
   * Weight of the loss that drives items with equal codes apart.
   * @default 30
   */
  uniquenessWeight: number;
  /**
   * Codebooks start from k-means of all items (kmeans), of the first batch (kmeans-batch), or uniform
   * noise.
   * @default "kmeans"
   */
  codebookStart: "kmeans" | "kmeans-batch" | "uniform";
  /**
   * Most k-means iterations of the start.
   * @default 100
   */
  startIterations: number;
  /**
   * Move codewords that no item uses to badly coded items.
   * @default true
   */
  resetDeadCodes: boolean;
  /**
   * Epochs between evaluations over all items.
   * @default 2
   */
  evalEpochs: number;
  /**
   * Stop after so many evaluations without fewer collisions; 0: never.
   * @default 0
   */
  patience: number;
  /**
   * Keep the epoch of the best collision, loss or gini.
   * @default "collision"
   */
  keep: "loss" | "collision" | "gini";
  /**
   * Share of the items that is only evaluated.
   * @default 0
   */
  holdOut: number;
  /**
   * Seed of everything random.
   * @default 42
   */
  seed: number;
}

/** Settings of `rqvae`. */
export interface RqVaeConfig extends QuantizerConfig {
  /**
   * Codebooks, one a token of the SID.
   * @default 3
   */
  levels: number;
  /**
   * Codewords in each codebook.
   * @default 256
   */
  codebookSize: number;
}

/** Settings of `letter`. */
export interface LetterConfig extends RqVaeConfig {
  /**
   * Weight of the alignment with --collab.
   * @default 0.1
   */
  alignmentWeight: number;
  /**
   * Temperature of the contrastive loss.
   * @default 0.1
   */
  temperature: number;
  /**
   * Weight of the diversity of codewords.
   * @default 0.0001
   */
  diversityWeight: number;
  /**
   * Clusters of the codewords of a level, for the diversity.
   * @default 10
   */
  clusters: number;
  /**
   * Epochs between clusterings.
   * @default 10
   */
  clusterEpochs: number;
}

/** Settings of `rqvae-v2`. */
export interface RqVaeV2Config extends RqVaeConfig {
  /**
   * Codewords of the first level.
   * @default 512
   */
  codebookSize: number;
  /**
   * What the codewords of a level are divided by for the next: 512, 256, 128.
   * @default 2
   */
  resolutionDecay: number;
  /**
   * Train a random number of leading levels each step.
   * @default true
   */
  progressiveMasking: boolean;
  /**
   * Weight of the contrast of items bought in a row.
   * @default 0.1
   */
  contrastWeight: number;
  /**
   * Temperature of the contrastive loss.
   * @default 0.1
   */
  temperature: number;
  /**
   * Weight of the loss that drives items with equal codes apart.
   * @default 60
   */
  uniquenessWeight: number;
}

/** Settings of `rqkmeans-plus`. */
export interface RqKmeansPlusConfig
  extends Omit<RqVaeConfig, "latentDim" | "codebookStart" | "startIterations"> {
  /**
   * Method whose codebooks training starts from.
   * @default "rqkmeans-constrained"
   */
  start: "rqkmeans" | "rqkmeans-constrained";
  /**
   * Peak learning rate.
   * @default 0.0001
   */
  learningRate: number;
}

import { z } from "zod";
import type { ReconstructionLoss } from "../../kernels/quantizer/reconstruction.ts";
import type { VectorScaling } from "../../sid/normalize.ts";
import { type Criterion, quantizerFields } from "../../sid/quantizer/config.ts";
import { rqVae, type RqVaeConfig } from "../../sid/methods/rq_vae.ts";

/** Settings of the tokenizer and its pretraining: those of `RqVaeConfig` that matter here. */
export interface TokenizerSettings {
  /** Codebooks, one a code. */
  tokenizerLevels: number;
  /** Codewords of each. */
  tokenizerCodebookSize: number;
  /** Widths of the encoder's hidden layers; empty: halving from the input's. */
  tokenizerLayers: number[];
  /** Width of latents and codewords. */
  tokenizerLatentDim: number;
  /** What is done to item vectors first. */
  tokenizerNormalize: VectorScaling;
  /** Passes over the items before joint training. */
  tokenizerEpochs: number;
  /** Items of a step of pretraining. */
  tokenizerBatchSize: number;
  /** Peak learning rate of pretraining. */
  pretrainLearningRate: number;
  /** Weight of the loss that drives items with equal codes apart, in pretraining. */
  tokenizerUniquenessWeight: number;
  /** Weight of the commitment loss. */
  tokenizerBeta: number;
  /** Whether losses of levels after the first reach the encoder. */
  tokenizerResidualGradients: boolean;
  tokenizerReconstructionLoss: ReconstructionLoss;
  /** Criterion of the epoch of pretraining that is kept. */
  tokenizerKeep: Criterion;
}

/** Fields of {@link TokenizerSettings} with their checks, defaults and the help of their flags. */
export const tokenizerFields = {
  tokenizerLevels: z.int().min(1).max(8).default(3).describe("codebooks of the tokenizer, one a code"),
  tokenizerCodebookSize: z.int().min(2).max(16384).default(256).describe("codewords in each codebook"),
  tokenizerLayers: quantizerFields.layers,
  tokenizerLatentDim: quantizerFields.latentDim,
  tokenizerNormalize: quantizerFields.normalize,
  tokenizerEpochs: quantizerFields.epochs,
  tokenizerBatchSize: quantizerFields.batchSize,
  pretrainLearningRate: quantizerFields.learningRate,
  tokenizerUniquenessWeight: quantizerFields.uniquenessWeight,
  tokenizerBeta: quantizerFields.beta,
  tokenizerResidualGradients: quantizerFields.residualGradients,
  tokenizerReconstructionLoss: quantizerFields.reconstructionLoss,
  tokenizerKeep: quantizerFields.keep,
} satisfies { [K in keyof TokenizerSettings]: z.ZodType<TokenizerSettings[K]> };

/** Settings of pretraining under the names of `rqVae`. */
export function pretrainingConfig(settings: TokenizerSettings, seed: number): RqVaeConfig {
  return rqVae.Config.parse({
    levels: settings.tokenizerLevels,
    codebookSize: settings.tokenizerCodebookSize,
    layers: settings.tokenizerLayers,
    latentDim: settings.tokenizerLatentDim,
    normalize: settings.tokenizerNormalize,
    epochs: settings.tokenizerEpochs,
    batchSize: settings.tokenizerBatchSize,
    learningRate: settings.pretrainLearningRate,
    uniquenessWeight: settings.tokenizerUniquenessWeight,
    beta: settings.tokenizerBeta,
    residualGradients: settings.tokenizerResidualGradients,
    reconstructionLoss: settings.tokenizerReconstructionLoss,
    keep: settings.tokenizerKeep,
    seed,
  });
}

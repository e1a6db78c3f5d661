import { z } from "zod";
import { levels } from "../../sid/fields.ts";
import { quantizerFields } from "../../sid/quantizer/config.ts";
import { rqVae, type RqVaeConfig } from "../../sid/methods/rq_vae.ts";

/** Settings of the tokenizer and its pretraining: those of `RqVaeConfig` that matter here. */
export const tokenizerFields = {
  tokenizerLevels: levels().describe("codebooks of the tokenizer, one a code"),
  tokenizerCodebookSize: z.int().min(2).max(16384).default(256).describe("codewords in each codebook"),
  tokenizerLayers: quantizerFields.layers,
  tokenizerLatentDim: quantizerFields.latentDim,
  tokenizerNormalize: quantizerFields.normalize,
  tokenizerEpochs: quantizerFields.epochs,
  tokenizerBatchSize: quantizerFields.batchSize,
  pretrainLearningRate: quantizerFields.learningRate.describe("peak learning rate of pretraining"),
  tokenizerUniquenessWeight: quantizerFields.uniquenessWeight,
  tokenizerBeta: quantizerFields.beta,
  tokenizerResidualGradients: quantizerFields.residualGradients,
  tokenizerReconstructionLoss: quantizerFields.reconstructionLoss,
  tokenizerKeep: quantizerFields.keep,
  tokenizerWarmupEpochs: quantizerFields.warmupEpochs,
  tokenizerWeightDecay: quantizerFields.weightDecay,
  tokenizerDropout: quantizerFields.dropout,
  tokenizerQuantLossWeight: quantizerFields.quantLossWeight,
  tokenizerSinkhornEpsilons: quantizerFields.sinkhornEpsilons,
  tokenizerSinkhornIterations: quantizerFields.sinkhornIterations,
  tokenizerCodebookStart: quantizerFields.codebookStart,
  tokenizerStartIterations: quantizerFields.startIterations,
  tokenizerResetDeadCodes: quantizerFields.resetDeadCodes,
  tokenizerPatience: quantizerFields.patience,
};
/** {@link tokenizerFields} with all values. */
export type TokenizerSettings = z.output<z.ZodObject<typeof tokenizerFields>>;

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
    warmupEpochs: settings.tokenizerWarmupEpochs,
    weightDecay: settings.tokenizerWeightDecay,
    dropout: settings.tokenizerDropout,
    quantLossWeight: settings.tokenizerQuantLossWeight,
    sinkhornEpsilons: settings.tokenizerSinkhornEpsilons,
    sinkhornIterations: settings.tokenizerSinkhornIterations,
    codebookStart: settings.tokenizerCodebookStart,
    startIterations: settings.tokenizerStartIterations,
    resetDeadCodes: settings.tokenizerResetDeadCodes,
    patience: settings.tokenizerPatience,
    seed,
  });
}

import { z } from "zod";
import { TOKEN_NORMALISATIONS, type TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import {
  ENCODER_DECODER_TYPE,
  type EncoderDecoderConfig,
  parseEncoderDecoderConfig,
} from "../../models/encoder_decoder/config.ts";
import { decay, type EpochConfig, epochFields, share, size } from "../run/epoch_config.ts";

/** Sizes of an encoder-decoder from scratch, in the names of Hugging Face's T5. */
export interface EncoderDecoderSettings {
  /** Width of the residual stream. */
  dModel: number;
  /** Width of a head. */
  dKv: number;
  /** Width of the feed-forward layer. */
  dFf: number;
  /** Blocks of the encoder. */
  numLayers: number;
  /** Blocks of the decoder. */
  numDecoderLayers: number;
  /** Heads of attention. */
  numHeads: number;
  /** Feed-forward layer: ReLU, or gated GELU as in T5 1.1. */
  feedForwardProj: "relu" | "gated-gelu";
  /** Whether encoder tokens see those before them alone, so that a pass over a history serves all of its targets. */
  causalEncoder: boolean;
  /** Standard deviation of fresh weights. */
  initializerRange: number;
}

/** How an encoder-decoder learns next items; names as in Hugging Face's TrainingArguments. */
export interface PairTrainingConfig extends EpochConfig {
  /** Items of the longest history; older ones are left out. */
  maxHistory: number;
  /** Target mass spread over the codewords of a level. */
  labelSmoothing: number;
  /** Share of the loss that is over the codewords that may follow in the catalogue, not all of a level. */
  trieLossWeight: number;
  /** Encoder tokens of an optimizer step. */
  tokensPerBatch: number;
  /** Samples of the valid split that are ranked after an epoch. */
  evalSamples: number;
  /** Beams of validation. */
  evalBeams: number;
  /** What a token's probability is normalised over in decoding. */
  normalisation: TokenNormalisation;
}

/** Fields of {@link EncoderDecoderSettings} with their checks, defaults and the help of their flags. */
export const encoderDecoderFields = {
  dModel: size.default(128).describe("width of the residual stream"),
  dKv: size.default(32).describe("width of a head"),
  dFf: size.default(512).describe("width of the feed-forward layer"),
  numLayers: size.default(3).describe("blocks of the encoder"),
  numDecoderLayers: size.default(3).describe("blocks of the decoder"),
  numHeads: size.default(4).describe("attention heads"),
  feedForwardProj: z.enum(["relu", "gated-gelu"]).default("relu").describe("feed-forward layer"),
  causalEncoder: z.boolean().default(false).describe(
    "encoder tokens see those before them alone: one pass over a history serves all of its targets",
  ),
  initializerRange: z.number().positive().default(0.05).describe("standard deviation of fresh weights"),
} satisfies { [K in keyof EncoderDecoderSettings]: z.ZodType<EncoderDecoderSettings[K]> };

/** Fields of {@link PairTrainingConfig} with their checks, defaults and the help of their flags. */
export const pairTrainingFields = {
  ...epochFields,
  maxHistory: size.default(20).describe("items of the longest history; older ones are left out"),
  dropout: decay.default(0).describe("dropout rate; T5 has .1, which slows short trainings down"),
  labelSmoothing: share.default(0).describe("target mass spread over the codewords of a level"),
  trieLossWeight: share.default(0).describe(
    "share of the loss over the codewords that may follow in the catalogue, not all of a level",
  ),
  numTrainEpochs: size.default(10).describe("passes over the train split"),
  tokensPerBatch: size.default(1024).describe("encoder tokens of an optimizer step"),
  learningRate: z.number().positive().default(2e-3).describe("peak learning rate"),
  warmupSteps: z.int().min(0).default(100).describe("steps of linear warmup"),
  weightDecay: z.number().min(0).default(0.05).describe("decoupled weight decay on matrices"),
  evalSamples: z.int().min(0).default(2000).describe(
    "samples of the valid split to rank after an epoch; 0: none",
  ),
  evalBeams: size.default(20).describe("beams of validation"),
  normalisation: z.enum(TOKEN_NORMALISATIONS).default("vocab").describe(
    "what decoding normalises a token's probability over: all codewords of its level, or those that may follow, which " +
      "goes with --trie-loss-weight 1;",
  ),
  patience: z.int().min(0).default(5).describe(
    "validations without a better NDCG@10 to stop after; 0: never",
  ),
} satisfies { [K in keyof PairTrainingConfig]: z.ZodType<PairTrainingConfig[K]> };

/** Architecture for SIDs with so many codewords a level. Throws `UserError` for sizes that do not fit each other. */
export function encoderDecoderConfig(
  settings: EncoderDecoderSettings & { dropout: number },
  codeSizes: readonly number[],
): EncoderDecoderConfig {
  return parseEncoderDecoderConfig({
    model_type: ENCODER_DECODER_TYPE,
    vocab_size: 1,
    code_sizes: [...codeSizes],
    d_model: settings.dModel,
    d_kv: settings.dKv,
    d_ff: settings.dFf,
    num_layers: settings.numLayers,
    num_decoder_layers: settings.numDecoderLayers,
    num_heads: settings.numHeads,
    feed_forward_proj: settings.feedForwardProj,
    dropout_rate: settings.dropout,
    causal_encoder: settings.causalEncoder,
  }, "the model settings");
}

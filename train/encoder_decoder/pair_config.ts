import { z } from "zod";
import { blocks, count, share } from "../../base/fields.ts";
import { TOKEN_NORMALISATIONS } from "../../kernels/trie/log_softmax.ts";
import {
  ENCODER_DECODER_TYPE,
  type EncoderDecoderConfig,
  parseEncoderDecoderConfig,
} from "../../models/encoder_decoder/config.ts";
import { initializerRange } from "../../models/optimizer/fields.ts";
import { epochFields } from "../run/epoch_config.ts";
import { evalBeams } from "../run/fields.ts";

/** Sizes of an encoder-decoder from scratch, in the names of Hugging Face's T5. */
export const encoderDecoderFields = {
  dModel: count().default(128).describe("width of the residual stream"),
  dKv: count().default(32).describe("width of a head"),
  dFf: count().default(512).describe("width of the feed-forward layer"),
  numLayers: blocks().default(3).describe("blocks of the encoder"),
  numDecoderLayers: blocks().default(3).describe("blocks of the decoder"),
  numHeads: count().default(4).describe("attention heads"),
  feedForwardProj: z.enum(["relu", "gated-gelu"]).default("relu").describe("feed-forward layer"),
  causalEncoder: z.boolean().default(false).describe(
    "encoder tokens see those before them alone: one pass over a history serves all of its targets",
  ),
  initializerRange: initializerRange(0.05),
};
/** {@link encoderDecoderFields} with all values. */
export type EncoderDecoderSettings = z.output<z.ZodObject<typeof encoderDecoderFields>>;

/** How an encoder-decoder learns next items. */
export const pairTrainingFields = {
  // T5 has a dropout of .1, which slows short trainings down.
  ...epochFields({ dropout: 0, numTrainEpochs: 10, learningRate: 2e-3, warmupSteps: 100, weightDecay: 0.05 }),
  maxHistory: count().default(20).describe("items of the longest history; older ones are left out"),
  labelSmoothing: share.default(0).describe("target mass spread over the codewords of a level"),
  trieLossWeight: share.default(0).describe(
    "share of the loss over the codewords that may follow in the catalogue, not all of a level",
  ),
  tokensPerBatch: count().default(1024).describe("encoder tokens of a micro batch"),
  gradientAccumulationSteps: count().default(1).describe("micro batches of an optimizer step"),
  evalSamples: count(0).default(2000).describe("samples of the valid split to rank after an epoch; 0: none"),
  evalBeams: evalBeams(),
  normalisation: z.enum(TOKEN_NORMALISATIONS).default("vocab").describe(
    "what decoding normalises a token's probability over: all codewords of its level, or those that may follow, which " +
      "goes with --trie-loss-weight 1;",
  ),
};
/** {@link pairTrainingFields} with all values. */
export type PairTrainingConfig = z.output<z.ZodObject<typeof pairTrainingFields>>;

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

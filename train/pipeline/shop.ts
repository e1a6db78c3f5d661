import type { SftConfig } from "../sft/config.ts";

/** Codewords of each level of the built-in shop's SIDs. */
export const SHOP_CODEBOOK = 32;

/** Settings for a decoder of the built-in shop: small enough for two cores; chosen on the valid split. */
export const SHOP_TRAINING = {
  hiddenSize: 64,
  intermediateSize: 192,
  numHiddenLayers: 2,
  dropout: 0.05,
  labelSmoothing: 0.02,
  learningRate: 4e-3,
  warmupSteps: 50,
  emaDecay: 0.99,
  tokensPerBatch: 1024,
  numTrainEpochs: 16,
  evalSteps: 200,
  evalSamples: 300,
} as const satisfies Partial<SftConfig>;

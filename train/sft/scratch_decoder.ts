import { PhiloxStream } from "../../base/philox.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { type DecoderConfig, parseDecoderConfig } from "../../models/decoder/config.ts";
import { Decoder, type DecoderOptions } from "../../models/decoder/decoder.ts";
import type { SftConfig } from "./config.ts";

type Settings = Pick<
  SftConfig,
  | "modelType"
  | "hiddenSize"
  | "intermediateSize"
  | "numHiddenLayers"
  | "numAttentionHeads"
  | "numKeyValueHeads"
  | "tieWordEmbeddings"
  | "initializerRange"
>;

/** Ids of a vocabulary and the longest sequence, for {@link scratchConfig}. */
export interface ScratchVocabulary {
  vocab_size: number;
  max_position_embeddings: number;
  bos_token_id: number | null;
  eos_token_id: number | null;
  pad_token_id: number | null;
}

/** Architecture of a model without pretrained weights. Throws `UserError` for sizes that do not fit each other. */
export function scratchConfig(settings: Settings, vocabulary: ScratchVocabulary): DecoderConfig {
  return parseDecoderConfig({
    model_type: settings.modelType,
    hidden_size: settings.hiddenSize,
    intermediate_size: settings.intermediateSize,
    num_hidden_layers: settings.numHiddenLayers,
    num_attention_heads: settings.numAttentionHeads,
    num_key_value_heads: settings.numKeyValueHeads,
    tie_word_embeddings: settings.tieWordEmbeddings,
    initializer_range: settings.initializerRange,
    ...vocabulary,
  }, "the model settings");
}

/**
 * A decoder with fresh weights: normal with the config's `initializer_range`, and smaller by the number of residual
 * additions where an output is added to the stream (Radford et al. 2019).
 */
export function scratchDecoder(
  device: Device,
  config: DecoderConfig,
  seed: number,
  options: DecoderOptions = {},
): Decoder {
  const decoder = new Decoder(device, config, options);
  const { parameters } = decoder;
  const stream = new PhiloxStream(seed, "weights");
  const values = parameters.initial(
    () => stream.normal(),
    ({ name }) =>
      config.initializer_range /
      (/o_proj|down_proj/.test(name) ? Math.sqrt(2 * config.num_hidden_layers) : 1),
  );
  parameters.write(values);
  return decoder;
}

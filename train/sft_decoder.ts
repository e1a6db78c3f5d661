import { UserError } from "../data/user_error.ts";
import type { Device } from "../kernels/device.ts";
import { Decoder, type DecoderOptions } from "../models/decoder.ts";
import { EMBEDDING, HEAD } from "../models/decoder_blocks.ts";
import { scratchDecoder } from "./scratch_decoder.ts";
import type { SftConfig } from "./sft_config.ts";
import type { ModelInputs } from "./sid_inputs.ts";
import type { TextInputs } from "./text_inputs.ts";

/** What of the inputs decides about the model. */
export type DecoderInputs =
  & Pick<ModelInputs, "architecture">
  & Partial<Pick<TextInputs, "pretrained" | "firstNewRow">>;

/**
 * What of the decoder is trained: everything; the rows of new tokens (`freeze: llm`); or adapters and these rows.
 * @throws {UserError} if a model from scratch is to be frozen.
 */
export function decoderOptions(
  { pretrained, firstNewRow }: DecoderInputs,
  config: SftConfig,
): DecoderOptions {
  const { gradientCheckpointing, freeze, loraR: r } = config;
  if (freeze === "none" && r === 0) return { gradientCheckpointing };
  if (!pretrained) {
    throw new UserError(
      `Cannot ${
        r > 0 ? "train adapters of" : "freeze"
      } a model from scratch: its weights mean nothing yet. Name a pretrained one with --model, or leave out ` +
        `${r > 0 ? "--lora-r" : "--freeze"}`,
    );
  }
  if (r === 0) {
    const isTable = (name: string) => [EMBEDDING, HEAD].includes(name);
    return { gradientCheckpointing, trainable: isTable, frozenRows: firstNewRow };
  }
  const { loraAlpha: alpha, loraDropout: dropout, loraTargetModules, useRslora } = config;
  const targetModules = loraTargetModules.includes("all") ? "all" : loraTargetModules;
  return {
    gradientCheckpointing,
    frozenRows: firstNewRow,
    lora: { r, alpha, dropout, targetModules, rankStabilised: useRslora },
  };
}

/** The decoder to train, with pretrained weights or fresh ones. `onProgress` counts parameters that are read. */
export async function sftDecoder(
  device: Device,
  inputs: DecoderInputs,
  config: SftConfig,
  onProgress?: (done: number, total: number) => void,
): Promise<Decoder> {
  const { architecture, pretrained, firstNewRow } = inputs;
  const options = decoderOptions(inputs, config);
  if (!pretrained) return scratchDecoder(device, architecture, config.seed, options);
  return await Decoder.load(device, pretrained, architecture, {
    ...options,
    firstNewRow,
    seed: config.seed,
    onProgress,
  });
}

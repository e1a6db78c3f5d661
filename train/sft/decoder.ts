import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { Decoder, type DecoderOptions } from "../../models/decoder/decoder.ts";
import { EMBEDDING, HEAD } from "../../models/decoder/blocks.ts";
import { scratchDecoder } from "./scratch_decoder.ts";
import type { SftConfig } from "./config.ts";
import type { ModelInputs } from "./sid_inputs.ts";
import type { TextInputs } from "./text_inputs.ts";

/** What of the inputs decides about the model. */
export type DecoderInputs =
  & Pick<ModelInputs, "architecture">
  & Partial<Pick<TextInputs, "pretrained" | "kept" | "firstNewRow" | "frozenRows">>;

/**
 * What of the decoder is trained: everything; the rows of the tokens of the index (`freeze: llm`); or adapters and
 * these rows.
 * @throws {UserError} if a model from scratch is to be frozen, or everything and adapters at once.
 */
export function decoderOptions(
  { pretrained, frozenRows }: DecoderInputs,
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
  if (r > 0 && freeze === "llm") {
    throw new UserError(
      "Cannot use --freeze llm with --lora-r: it trains the rows of the index's tokens alone, --lora-r adapters as well, " +
        "of a model that is frozen anyhow. Leave out one of them",
    );
  }
  if (r === 0) {
    const isTable = (name: string) => [EMBEDDING, HEAD].includes(name);
    return { gradientCheckpointing, trainable: isTable, frozenRows };
  }
  const { loraAlpha: alpha, loraDropout: dropout, loraTargetModules, useRslora } = config;
  const targetModules = loraTargetModules.includes("all") ? "all" : loraTargetModules;
  return {
    gradientCheckpointing,
    frozenRows,
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
  const { architecture, pretrained, kept, firstNewRow } = inputs;
  const options = decoderOptions(inputs, config);
  if (!pretrained) return scratchDecoder(device, architecture, config.seed, options);
  const source = kept ? pretrained.withTokens(kept) : pretrained;
  return await Decoder.load(device, source, architecture, {
    ...options,
    firstNewRow,
    seed: config.seed,
    onProgress,
  });
}

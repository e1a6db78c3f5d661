import { diskFiles } from "../../../base/files/disk.ts";
import { UserError } from "../../../base/user_error.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { Decoder, type DecoderLoadOptions } from "../../../models/decoder/decoder.ts";
import type { EncoderDecoder } from "../../../models/encoder_decoder/encoder_decoder.ts";
import { loadEncoderDecoder } from "../../../models/encoder_decoder/load.ts";
import type { Optimizer } from "../../../models/optimizer/optimizer.ts";
import { type ModelFile, Pretrained } from "../../../models/hugging_face/pretrained.ts";
import type { SavedFile } from "../../../models/hugging_face/saved_file.ts";
import { checkpointFiles } from "../../run/checkpoint.ts";
import type { TrainerState } from "../../run/loss_log.ts";
import { pairCheckpoint } from "../../encoder_decoder/pair_training.ts";
import type { RlConfig } from "../config.ts";
import { pairPacking } from "./pair_batch.ts";
import type { PolicyModel, PolicyPacking } from "./batch.ts";
import { adapterFreeReference, frozenReference, type ReferencePolicy } from "./reference.ts";
import { treePacking } from "./tree_batch.ts";

/** What is trained: all that a run asks of an architecture. */
export interface PolicySource<M extends PolicyModel> {
  /** Makes the policy, which is freed at the end; its weights on a resume are those of a checkpoint. */
  makePolicy(): Promise<M>;
  /** Makes what the KL divergence is measured from. */
  makeReference(policy: M): Promise<ReferencePolicy<M>>;
  /** How its answers become micro batches. */
  packing: PolicyPacking<M>;
  /** Files of a checkpoint. */
  checkpoint(
    parts: { policy: M; optimizer: Optimizer; state: TrainerState; companions: readonly ModelFile[] },
  ): AsyncIterable<SavedFile>;
}

/** What policies read of the settings. */
export type PolicySettings = Pick<
  RlConfig,
  "gradientCheckpointing" | "loraR" | "loraAlpha" | "loraTargetModules" | "seed"
>;

/** The decoder of a checkpoint or Hugging Face directory as a policy: whole, or adapters of it. */
export function decoderPolicy(
  device: Device,
  folder: string,
  settings: PolicySettings,
): PolicySource<Decoder> {
  return madeDecoderPolicy(
    async (options) => {
      const pretrained = await Pretrained.open(folder, diskFiles);
      return await Decoder.load(device, pretrained, pretrained.config, options);
    },
    folder,
    settings,
  );
}

/** The same of decoders that `make` makes, with the weights of `folder`. */
export function madeDecoderPolicy(
  make: (options: DecoderLoadOptions) => Promise<Decoder>,
  folder: string,
  { gradientCheckpointing, loraR: r, loraAlpha: alpha, loraTargetModules, seed }: PolicySettings,
): PolicySource<Decoder> {
  return {
    makePolicy() {
      const targetModules = loraTargetModules.includes("all") ? "all" as const : loraTargetModules;
      return make({
        gradientCheckpointing,
        ...(r > 0 ? { lora: { r, alpha, dropout: 0, targetModules, rankStabilised: false } } : {}),
        seed,
      });
    },
    async makeReference(policy) {
      if (policy.lora) return adapterFreeReference(policy);
      return frozenReference(await make({ trainable: () => false }), policy);
    },
    packing: treePacking,
    checkpoint: ({ policy: decoder, ...parts }) => checkpointFiles({ decoder, ...parts, baseModel: folder }),
  };
}

/**
 * The encoder-decoder of a checkpoint as a policy, as ETEGRec's fork reinforces it. Parameters of layers around the model
 * are left behind.
 * @throws {UserError} for settings that such a model does not have.
 */
export function encoderDecoderPolicy(
  device: Device,
  folder: string,
  { gradientCheckpointing, loraR }: PolicySettings,
): PolicySource<EncoderDecoder> {
  const flag = loraR > 0 ? "--lora-r" : gradientCheckpointing ? "--gradient-checkpointing" : undefined;
  if (flag !== undefined) {
    throw new UserError(
      `Cannot use ${flag} with ${folder}: it is an encoder-decoder, all of which is trained. Leave out ${flag}`,
    );
  }
  return {
    makePolicy: () => loadEncoderDecoder(device, folder, diskFiles),
    makeReference: async (policy) =>
      frozenReference(
        await loadEncoderDecoder(device, folder, diskFiles, { trainable: () => false }),
        policy,
      ),
    packing: pairPacking,
    checkpoint: ({ policy: model, ...parts }) => pairCheckpoint({ model, ...parts }),
  };
}

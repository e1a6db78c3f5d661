import { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/tensor.ts";
import { diskFiles } from "../../data/read_files.ts";
import type { Device } from "../../kernels/device.ts";
import { Decoder } from "../../models/decoder.ts";
import type { PackedRows } from "../../models/packed_tokens.ts";
import type { TensorMap } from "../../models/parameters.ts";
import { Pretrained } from "../../models/pretrained.ts";
import { readSafetensors, writeSafetensors } from "../../models/safetensors.ts";

/** The model that the policy started from, or one that follows it slowly: what the KL divergence is measured from. */
export interface ReferencePolicy {
  /** Hidden rows of a packed batch, as `Decoder.targetHidden()` of the policy gives them. */
  targetHidden(packed: PackedRows): Matrix;
  /** Whose output matrix turns them into logits. */
  readonly decoder: Decoder;
  /** Moves it towards the policy: reference = alpha * policy + (1 - alpha) * reference (TRL's `ref_model_mixup_alpha`). */
  sync(alpha: number): Promise<void>;
  /** Its weights as safetensors where they have moved, for a checkpoint. */
  state(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Puts weights back that `state()` gave. */
  restore(bytes: Uint8Array, source: string): void;
  /** Frees what it holds beside the policy. */
  destroy(): void;
}

/** The policy below its adapters: no second copy of the weights. It cannot move. */
export function adapterFreeReference(policy: Decoder): ReferencePolicy {
  return {
    decoder: policy,
    targetHidden: (packed) =>
      policy.withoutAdapters(() => policy.targetHidden(new Tape(policy.device, false), packed)),
    sync: () => Promise.reject(new RangeError("The reference of a LoRA policy cannot move")),
    state: () => Promise.resolve(undefined),
    restore: () => {},
    destroy: () => {},
  };
}

/** A frozen copy, read from the checkpoint or Hugging Face directory that `policy` was read from. */
export async function frozenReference(
  device: Device,
  directory: string,
  policy: Decoder,
): Promise<ReferencePolicy> {
  const pretrained = await Pretrained.open(directory, diskFiles);
  const decoder = await Decoder.load(device, pretrained, pretrained.config, { trainable: () => false });
  let moved = false;
  return {
    decoder,
    targetHidden: (packed) => decoder.targetHidden(new Tape(device, false), packed),
    async sync(alpha) {
      const own = await tensorsOf(decoder);
      for await (const { name, data } of policy.parameters.readTensors()) {
        const values = own.get(name)!.data;
        data.forEach((value, i) => values[i] += alpha * (value - values[i]));
      }
      decoder.parameters.load(own, "the reference");
      moved = true;
    },
    state: async () => moved ? writeSafetensors(await tensorsOf(decoder)) : undefined,
    restore(bytes, source) {
      decoder.parameters.load(readSafetensors(bytes, source), source);
      moved = true;
    },
    destroy: () => decoder.destroy(),
  };
}

async function tensorsOf(decoder: Decoder): Promise<TensorMap> {
  const tensors: TensorMap = new Map();
  for await (const { name, ...tensor } of decoder.parameters.readTensors()) tensors.set(name, tensor);
  return tensors;
}

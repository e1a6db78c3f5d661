import type { Decoder } from "../../../models/decoder/decoder.ts";
import type { TensorMap } from "../../../models/parameters/parameters.ts";
import { readSafetensors, writeSafetensors } from "../../../models/safetensors/safetensors.ts";
import type { PolicyModel } from "./batch.ts";

/** The model that the policy started from, or one that follows it slowly: what the KL divergence is measured from. */
export interface ReferencePolicy<M> {
  /** Has `compute` read this model. */
  use(compute: (model: M) => void): void;
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
export function adapterFreeReference(policy: Decoder): ReferencePolicy<Decoder> {
  return {
    use: (compute) => policy.withoutAdapters(() => compute(policy)),
    sync: () => Promise.reject(new RangeError("The reference of a LoRA policy cannot move")),
    state: () => Promise.resolve(undefined),
    restore: () => {},
    destroy: () => {},
  };
}

/** A copy of `policy` with the weights that it started from, which nothing trains: it is destroyed with the reference. */
export function frozenReference<M extends PolicyModel>(
  copy: M,
  policy: M,
): ReferencePolicy<M> {
  const { parameters } = copy;
  let moved = false;
  return {
    use: (compute) => compute(copy),
    async sync(alpha) {
      const own = await tensorsOf(copy);
      for await (const { name, data } of policy.parameters.readTensors()) {
        const values = own.get(name)!.data;
        data.forEach((value, i) => values[i] += alpha * (value - values[i]));
      }
      parameters.load(own, "the reference");
      moved = true;
    },
    state: async () => moved ? writeSafetensors(await tensorsOf(copy)) : undefined,
    restore(bytes, source) {
      parameters.load(readSafetensors(bytes, source), source);
      moved = true;
    },
    destroy: () => copy.destroy(),
  };
}

async function tensorsOf({ parameters }: PolicyModel): Promise<TensorMap> {
  const tensors: TensorMap = new Map();
  for await (const { name, ...tensor } of parameters.readTensors()) tensors.set(name, tensor);
  return tensors;
}

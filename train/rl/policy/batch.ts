import { type CompletionGroup, type GroupCapacity, NO_ACTION } from "../../../data/packing/group_batches.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import type { Tape } from "../../../kernels/tape.ts";
import type { Flat } from "../../../kernels/gpu/tensor.ts";
import type { DecodeModel } from "../../../models/decoder/decode.ts";
import type { ActionValues } from "../../../models/packing/packed_groups.ts";
import type { Parameters } from "../../../models/parameters/parameters.ts";
import type { PolicyOptions, PolicyScratch } from "../../../models/losses/policy_gradient.ts";

/** A model whose answers are reinforced. */
export interface PolicyModel extends DecodeModel {
  /** Device that holds the parameters. */
  readonly device: Device;
  /** All weights. */
  readonly parameters: Parameters;
  /** Gradients that are known before the backward pass ends, by layer. */
  readonly layerGradients?: readonly (readonly Flat[])[];
  /** Frees its weights. */
  destroy(): void;
}

/** A group as the update learns from it. */
export interface PolicyGroup extends CompletionGroup {
  /** Advantage of each token of each completion. */
  advantages: readonly ArrayLike<number>[];
  /** Share of each token of each completion in the loss. */
  weights: ArrayLike<number>;
  /** Weight of the negative log-probability of each token of each completion. */
  supervised: ArrayLike<number>;
}

/** Dropout of an update. */
export interface PolicyDropout {
  /** In [0, 1). */
  rate: number;
  /** u32 [seed, micro batch of the update, update, unused]. */
  seed: Flat;
}

/** Groups laid out on the host. */
export interface PackedAnswers {
  /** Completions, and rows in which tokens are chosen. */
  counts: { completions: number; rows: number };
  /** Puts them on the device, in place of what was there. */
  upload(): void;
}

/** Room for a micro batch of fixed capacity: groups on the device and what a policy makes of them. */
export interface PolicyBatch<M> {
  /** Lengths of its arrays. */
  readonly capacity: Pick<GroupCapacity, "rows" | "actions" | "completions" | "depth">;
  /** Actions of each completion u32 (N D), and what the loss knows of each action f32 (R). */
  readonly flats: { completions: Flat } & Record<keyof ActionValues, Flat>;
  /** Lays groups out; they fit. */
  pack(groups: readonly PolicyGroup[]): PackedAnswers;
  /** Log-probabilities under `model` of what was uploaded last, as `actionLogProbs()` has them; backward likewise. */
  logProbs(
    tape: Tape,
    model: M,
    scratch: PolicyScratch,
    options: Pick<PolicyOptions, "normalisation" | "trie" | "tokens">,
    dropout?: PolicyDropout,
  ): void;
  /** Frees its arrays. */
  destroy(): void;
}

/** How groups become micro batches: all that an update asks of an architecture, whose models are `M`. */
export interface PolicyPacking<M> {
  /** What a group takes of the capacity of a micro batch. */
  sizeOf(group: CompletionGroup): Omit<GroupCapacity, "depth">;
  /** Capacity of the largest micro batches for groups of `answers` completions of at most `depth` tokens. */
  capacityOf(
    depth: number,
    limits: { tokensPerBatch: number; prompts: number; answers: number },
  ): GroupCapacity;
  /** Capacity of smaller ones, with this share of the tokens. */
  partOf(capacity: GroupCapacity, share: number): GroupCapacity;
  /** Makes room for a micro batch. */
  open(model: M, capacity: GroupCapacity): PolicyBatch<M>;
}

/** Values of each action (R) of a batch, from those of its completions; `actions` (N D) as in `GroupBatch.completions`. */
export function actionValues(
  groups: readonly PolicyGroup[],
  actions: Uint32Array,
  { actions: R, depth }: Pick<GroupCapacity, "actions" | "depth">,
): ActionValues {
  const values: ActionValues = {
    advantages: new Float32Array(R),
    weights: new Float32Array(R),
    supervised: new Float32Array(R),
  };
  let completion = 0;
  for (const { advantages, weights, supervised } of groups) {
    for (const [i, ofTokens] of advantages.entries()) {
      for (let place = 0; place < depth; place++) {
        const action = actions[completion * depth + place];
        if (action === NO_ACTION) break;
        values.advantages[action] = ofTokens[place];
        values.weights[action] = weights[i];
        values.supervised[action] = supervised[i];
      }
      completion++;
    }
  }
  return values;
}

// Prompts with several completions for a tiny decoder, and the probabilities that it gives them.
import { type CompletionGroup, groupSize, packGroups } from "../../../data/packing/group_batches.ts";
import { DeviceTrie } from "../../../decode/device_trie.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/tape.ts";
import type { Flat } from "../../../kernels/gpu/tensor.ts";
import type { TokenNormalisation } from "../../../kernels/trie/log_softmax.ts";
import type { Decoder } from "../../../models/decoder/decoder.ts";
import { PackedGroupsBuffer } from "../../../models/packing/packed_groups.ts";
import type { PackedRows } from "../../../models/packing/packed_tokens.ts";
import {
  actionLogProbs,
  createPolicyScratch,
  destroyPolicyScratch,
} from "../../../models/losses/policy_gradient.ts";
import { buildTrie } from "../../../sid/trie.ts";

export const VOCABULARY = 20;

/** Tokens 10 to 19 belong to SIDs, one of which is shorter than the others. */
const SIDS = [[10, 13, 16], [10, 13, 17], [10, 14, 16], [11, 13, 18], [11, 15, 19], [12, 14]];

export const hostTrie = buildTrie(SIDS);

/** The trie of the SIDs; made once a device. */
export function trieOn(device: Device): DeviceTrie {
  let trie = tries.get(device);
  if (!trie) tries.set(device, trie = new DeviceTrie(device, hostTrie));
  return trie;
}

const tries = new WeakMap<Device, DeviceTrie>();

/** A group of SIDs by their numbers. */
export function groupOf(prompt: number[], sids: number[]): CompletionGroup {
  const completions = sids.map((sid) => Uint32Array.from(SIDS[sid]));
  return {
    prompt: Uint32Array.from(prompt),
    completions,
    nodes: completions.map((tokens) => tokens.map((_, place) => hostTrie.walk(tokens.subarray(0, place))!)),
  };
}

/** Capacity that holds the groups exactly. */
export function capacityOf(groups: readonly CompletionGroup[]) {
  const sizes = groups.map(groupSize);
  const sum = (key: "tokens" | "rows" | "actions" | "completions") =>
    sizes.reduce((total, size) => total + size[key], 0);
  return {
    tokens: sum("tokens"),
    rows: sum("rows"),
    actions: sum("actions"),
    completions: sum("completions"),
    depth: 3,
  };
}

/**
 * Log-probabilities of actions of packed rows, and with `coefficients`, dLoss/dLogProb, the gradients of all parameters,
 * which are added to nothing.
 */
export async function probabilities(
  decoder: Decoder,
  packed: PackedRows,
  actions: { offsets: Flat; tokens: Flat; nodes: Flat },
  normalisation: TokenNormalisation,
  coefficients?: Float32Array,
) {
  const { device, parameters } = decoder;
  const trie = trieOn(device);
  const scratch = createPolicyScratch(device, packed.targetRows.length, actions.tokens.length);
  parameters.clearGradients();
  device.scope(() => {
    const tape = new Tape(device, coefficients !== undefined);
    const hidden = decoder.targetHidden(tape, packed);
    actionLogProbs(tape, parameters, hidden, decoder.headName, actions, scratch, {
      normalisation,
      trie,
      tokens: { start: trie.minToken, end: trie.maxToken + 1 },
    });
    if (coefficients) device.write(scratch.coefficients, coefficients);
    tape.backward();
  });
  const flats = parameters.segments.map((segment) => segment.gradients);
  const [logProbs, ...gradients] = await device.read(scratch.logProbs, ...(coefficients ? flats : []));
  destroyPolicyScratch(device, scratch);
  return { logProbs, gradients: gradients.flatMap((part) => [...part]) };
}

/** Log-probabilities of the tokens of each completion of each group, packed as trees; `coefficients` in that order. */
export async function treeProbabilities(
  decoder: Decoder,
  groups: readonly CompletionGroup[],
  normalisation: TokenNormalisation,
  coefficients?: readonly number[],
) {
  const capacity = capacityOf(groups);
  const batch = packGroups(groups, capacity);
  const buffer = new PackedGroupsBuffer(decoder.device, capacity);
  const none = new Float32Array(capacity.actions);
  buffer.write(batch, { advantages: none, weights: none, supervised: none });
  const places = [...batch.completions].filter((action) => action < capacity.actions);
  const byAction = coefficients && none.map((_, action) => coefficients[places.indexOf(action)]);
  const { actionOffsets: offsets, actionTokens: tokens, nodes } = buffer.packed;
  const actions = { offsets, tokens, nodes };
  const { logProbs, gradients } = await probabilities(
    decoder,
    buffer.packed,
    actions,
    normalisation,
    byAction,
  );
  buffer.destroy();
  return { logProbs: places.map((action) => logProbs[action]), gradients };
}

import { groupSize, packGroups } from "../../../data/packing/group_batches.ts";
import type { Decoder } from "../../../models/decoder/decoder.ts";
import { PackedGroupsBuffer } from "../../../models/packing/packed_groups.ts";
import { actionLogProbs } from "../../../models/losses/policy_gradient.ts";
import { actionValues, type PolicyBatch, type PolicyPacking } from "./batch.ts";

/** Groups of a decoder as packed trees: a prompt is computed once, its completions branch off. */
export const treePacking: PolicyPacking<Decoder> = {
  sizeOf: groupSize,
  capacityOf(depth, { tokensPerBatch, prompts, answers }) {
    const groups = Math.min(prompts, Math.max(1, Math.floor(tokensPerBatch / (1 + answers))));
    return {
      tokens: tokensPerBatch,
      rows: Math.min(tokensPerBatch, groups * (1 + answers * (depth - 1))),
      actions: groups * answers * depth,
      completions: groups * answers,
      depth,
    };
  },
  // What belongs to answers is small beside the rows of the model.
  partOf({ tokens, rows, ...sizes }, share) {
    const part = Math.ceil(tokens * share);
    return { ...sizes, tokens: part, rows: Math.min(rows, part) };
  },
  open({ device }, capacity): PolicyBatch<Decoder> {
    const buffer = new PackedGroupsBuffer(device, capacity);
    const { packed } = buffer;
    const { actionOffsets: offsets, actionTokens: tokens, nodes } = packed;
    return {
      capacity,
      flats: packed,
      pack(groups) {
        const batch = packGroups(groups, capacity);
        const values = actionValues(groups, batch.completions, capacity);
        return { counts: batch.counts, upload: () => buffer.write(batch, values) };
      },
      logProbs(tape, decoder, scratch, options, dropout) {
        const hidden = decoder.targetHidden(tape, packed, dropout);
        const actions = { offsets, tokens, nodes };
        actionLogProbs(tape, decoder.parameters, hidden, decoder.headName, actions, scratch, options);
      },
      destroy: () => buffer.destroy(),
    };
  },
};

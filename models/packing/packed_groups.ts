import type { GroupBatch, GroupCapacity } from "../../data/packing/group_batches.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import { FlatSections } from "../parameters/flat_sections.ts";
import {
  occurrenceArrays,
  type PackedRows,
  packedRows,
  type RowSection,
  rowSections,
} from "./packed_tokens.ts";

/** What a policy loss knows of each action (R), beside the model's probabilities. */
export interface ActionValues {
  /** How much better than its group the completion is. */
  advantages: Float32Array;
  /** Share of the action in the loss. */
  weights: Float32Array;
  /** Weight of its negative log-probability, as in supervised training. */
  supervised: Float32Array;
}

/** A batch of groups on the device. */
export interface PackedGroups extends PackedRows {
  /** Actions of each target row (U + 1): see `GroupBatch.offsets`. */
  actionOffsets: Flat;
  /** Token that each action chose (R). */
  actionTokens: Flat;
  /** Node of the trie of each target row (U). */
  nodes: Flat;
  /** Actions of each completion (N D). */
  completions: Flat;
  /** f32 (R), see {@link ActionValues}. */
  advantages: Flat;
  /** f32 (R). */
  weights: Flat;
  /** f32 (R). */
  supervised: Flat;
}

type Section = RowSection | "actionOffsets" | "actionTokens" | "nodes" | "completions" | keyof ActionValues;

/** Room for one batch of groups of fixed capacity. */
export class PackedGroupsBuffer {
  readonly capacity: GroupCapacity;
  readonly packed: PackedGroups;
  #sections: FlatSections<Section>;

  constructor(device: Device, capacity: GroupCapacity) {
    this.capacity = capacity;
    const { rows: U, actions: R, completions: N, depth: D } = capacity;
    const sections = new FlatSections<Section>(device, {
      ...rowSections(capacity),
      actionOffsets: U + 1,
      actionTokens: R,
      nodes: U,
      completions: N * D,
      advantages: R,
      weights: R,
      supervised: R,
    });
    const { actionOffsets, actionTokens, nodes, completions } = sections.flats;
    this.#sections = sections;
    this.packed = {
      ...packedRows(sections.flats),
      actionOffsets,
      actionTokens,
      nodes,
      completions,
      advantages: sections.asFloats("advantages"),
      weights: sections.asFloats("weights"),
      supervised: sections.asFloats("supervised"),
    };
  }

  /** Uploads `batch` with the values of its actions. */
  write(batch: GroupBatch, values: ActionValues): void {
    this.#sections.write({
      tokens: batch.tokens,
      positions: batch.positions,
      intervals: batch.intervals,
      viewers: batch.viewers,
      ...occurrenceArrays(batch.tokens, batch.counts.tokens),
      targetRows: batch.targetRows,
      inverse: batch.inverse,
      actionOffsets: batch.offsets,
      actionTokens: batch.actionTokens,
      nodes: batch.nodes,
      completions: batch.completions,
      ...values,
    });
  }

  destroy(): void {
    this.#sections.destroy();
  }
}

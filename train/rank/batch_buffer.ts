import type { Device } from "../../kernels/gpu/device.ts";
import { groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";
import type { RowLists } from "../../kernels/loss/listwise_softmax.ts";
import { NO_ROW } from "../../kernels/rows/gather.ts";
import type { FeatureColumn } from "../../rank/features/features.ts";
import { type Standardisation, standardise } from "../../rank/features/standardise.ts";
import type { TargetLists } from "../../rank/lists/lists.ts";
import type { ListCapacity } from "./list_batches.ts";

/** A batch of lists on the device; of one that is smaller than the room, what is left is rows of no list. */
export class ListBatchBuffer {
  /** Inputs (rows, F). */
  readonly inputs: Matrix;
  /** Where each list lies in them; weights are shares of a step. */
  readonly lists: RowLists;
  readonly #device: Device;
  /** Inputs with rows filled up to whole groups, as they are uploaded: a copy a batch would stand until V8 collects it. */
  readonly #host: Float32Array;
  readonly #stride: number;

  constructor(device: Device, { lists, rows }: ListCapacity, inputs: number) {
    this.#device = device;
    this.#stride = 4 * groupsOf(inputs);
    this.#host = new Float32Array(rows * this.#stride);
    this.inputs = device.createMatrix(rows, inputs);
    this.lists = {
      offsets: device.createFlat("u32", lists + 1),
      targets: device.createFlat("u32", lists),
      weights: device.createFlat("f32", lists),
    };
  }

  /** Uploads these lists of all, `stepLists` of which make a step; where each of them starts and the last ends. */
  write(
    { offsets, targets, raw }: TargetLists,
    members: readonly number[],
    columns: readonly FeatureColumn[],
    standardisation: Standardisation,
    stepLists = members.length,
  ): Uint32Array {
    const room = this.lists.targets.length;
    const starts = new Uint32Array(room + 1);
    const places = new Uint32Array(room).fill(NO_ROW);
    const weights = new Float32Array(room);
    const stride = this.#stride;
    for (const [i, list] of members.entries()) {
      standardise(columns, standardisation, raw[list], this.#host, starts[i] * stride, stride);
      starts[i + 1] = starts[i] + offsets[list + 1] - offsets[list];
      places[i] = starts[i] + targets[list] - offsets[list];
      weights[i] = 1 / stepLists;
    }
    starts.fill(starts[members.length], members.length);
    this.#device.write(this.inputs, this.#host);
    this.#device.write(this.lists.offsets, starts);
    this.#device.write(this.lists.targets, places);
    this.#device.write(this.lists.weights, weights);
    return starts.subarray(0, members.length + 1);
  }

  /** Frees everything on the device. */
  destroy(): void {
    const { offsets, targets, weights } = this.lists;
    for (const tensor of [this.inputs, offsets, targets, weights]) this.#device.destroy(tensor);
  }
}

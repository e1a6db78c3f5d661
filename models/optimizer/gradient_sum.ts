import { branchSize, treeSteps, treeSum } from "../../base/parallel/tree_sum.ts";
import { ALONE, type World } from "../../base/parallel/world.ts";
import { accumulate } from "../../kernels/optimizer/accumulate.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import { readSegments, writeSegments } from "../parameters/flat_segments.ts";
import type { Parameters } from "../parameters/parameters.ts";

/** Numbers that a rank receives of each of the others in one call: 16 MiB. */
const SLICE = 2 ** 22;

/**
 * The gradient of an optimizer step: the sum of those of its micro batches, in the order of a tree over their places, of
 * which each rank computes a branch. So any number of ranks ends with the same bits, where their adapters compute alike
 * and no sum on the way is subnormal (below 1.2e-38, which adapters may take for 0). Beside the gradients themselves it
 * holds as many again for each doubling of the micro batches of a rank.
 */
export class GradientSum {
  #device: Device;
  #world: World;
  #gradients: readonly Flat[];
  /** Sums of branches that wait for the branch beside them, by their height. */
  #kept: (readonly Flat[])[] = [];

  /** `most` micro batches of a step, of all ranks together. */
  constructor(parameters: Parameters, most: number, world: World = ALONE) {
    const { device, segments } = parameters;
    this.#device = device;
    this.#world = world;
    this.#gradients = segments.map(({ gradients }) => gradients);
    const own = Math.min(most, branchSize(most, world.size));
    for (let level = 0; 2 ** level < own; level++) {
      this.#kept.push(this.#gradients.map(({ length }) => device.createFlat("f32", length)));
    }
  }

  /** Before the backward pass of a micro batch. */
  begin(): void {
    for (const flat of this.#gradients) this.#device.clear(flat);
  }

  /** After the backward pass of the micro batch at `place`, from 0, of `count` of this rank. */
  add(place: number, count: number): void {
    const { add, keep } = treeSteps(place, count);
    for (const level of add) {
      this.#kept[level].forEach((flat, i) => accumulate(this.#device, flat, this.#gradients[i]));
    }
    if (keep !== undefined) {
      this.#gradients.forEach((flat, i) => this.#device.copy(flat, this.#kept[keep][i]));
    }
  }

  /**
   * Makes of the gradients of the ranks their sum, in all of them; the first `branches` ranks had micro batches. Waits
   * for the device, and for the other ranks.
   */
  async reduce(branches: number): Promise<void> {
    const { size } = this.#world;
    if (size === 1) return;
    const [values] = await readSegments(this.#device, this.#gradients);
    for (let from = 0; from < values.length; from += SLICE * size) {
      await this.#reduce(values.subarray(from, from + SLICE * size), branches);
    }
    writeSegments(this.#device, this.#gradients, values);
  }

  /** Frees its arrays. */
  destroy(): void {
    for (const flat of this.#kept.flat()) this.#device.destroy(flat);
  }

  /** Each rank sums a slice of all, then all get all slices: twice the numbers go over the wire, however many ranks. */
  async #reduce(values: Float32Array, branches: number): Promise<void> {
    const { size } = this.#world;
    const slice = Math.ceil(values.length / size);
    const send = new Float32Array(slice * size);
    send.set(values);
    const received = new Float32Array(slice * size);
    await this.#world.exchange(send, received);
    const terms = Array.from(
      { length: branches },
      (_, rank) => received.subarray(rank * slice, (rank + 1) * slice),
    );
    await this.#world.collect(treeSum(terms), send);
    values.set(send.subarray(0, values.length));
  }
}

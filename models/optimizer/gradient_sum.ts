import { branchSize, treeSteps, treeSum } from "../../base/parallel/tree_sum.ts";
import { ALONE, type World } from "../../base/parallel/world.ts";
import { accumulate } from "../../kernels/optimizer/accumulate.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import { readSegments, writeSegments } from "../parameters/flat_segments.ts";
import type { Parameters } from "../parameters/parameters.ts";

/** Numbers that are summed in one call: 64 MiB. */
const BUCKET = 2 ** 24;

/** What a {@link GradientSum} knows of the steps. */
export interface GradientSumOptions {
  /** Micro batches of the largest step, of all ranks together; where there are more, they take memory when they come. */
  microBatches: number;
  /** Ranks that train together. Default: this one alone. */
  world?: World;
  /** Gradients that are known before the backward pass ends, by layer: those of the last layer first. Default: none. */
  layers?: readonly (readonly Flat[])[];
}

/**
 * The gradient of an optimizer step: the sum of those of its micro batches, in the order of a tree over their places, of
 * which each rank computes a branch. So any number of ranks ends with the same bits, where their adapters compute alike
 * and no sum on the way is subnormal (below 1.2e-38, which adapters may take for 0). Beside the gradients themselves it
 * holds as many again for each doubling of the micro batches of a rank. Those of a layer are on their way to the host
 * while the layers before it are still in their backward pass.
 */
export class GradientSum {
  #device: Device;
  #world: World;
  #gradients: readonly Flat[];
  /** Sums of branches that wait for the branch beside them, by their height. */
  #kept: (readonly Flat[])[] = [];
  /** Gradients by layer, the first layer first, and behind them all others. */
  #parts: (readonly Flat[])[];
  /** Those of {@link #parts} that are being read. */
  #reads = new Map<number, Promise<Float32Array[]>>();

  constructor(parameters: Parameters, { microBatches, world = ALONE, layers = [] }: GradientSumOptions) {
    const { device, segments } = parameters;
    this.#device = device;
    this.#world = world;
    this.#gradients = segments.map(({ gradients }) => gradients);
    const early = new Set(layers.flat());
    const all = parameters.specs.flatMap(({ name }) =>
      parameters.blocks(name).flatMap(({ gradient }) => gradient ?? [])
    );
    const others = all.filter((flat) => !early.has(flat));
    this.#parts = early.size === 0 || world.size === 1 ? [this.#gradients] : [...layers, others];
    const own = Math.min(microBatches, branchSize(microBatches, world.size));
    for (let level = 0; 2 ** level < own; level++) {
      this.#keptAt(level);
    }
  }

  /** Before the backward pass of a micro batch. */
  begin(): void {
    for (const flat of this.#gradients) this.#device.clear(flat);
    this.#reads.clear();
  }

  /**
   * In the backward pass of the micro batch at `place`, from 0, of `count` of this rank, when the gradients of `layer` are
   * known.
   */
  addLayer(layer: number, place: number, count: number): void {
    if (this.#parts.length === 1 || place !== count - 1) return;
    this.#addKept(this.#parts[layer], treeSteps(place, count).add);
    this.#read(layer);
  }

  /** After the backward pass of the micro batch at `place`, from 0, of `count` of this rank. */
  add(place: number, count: number): void {
    const { add, keep } = treeSteps(place, count);
    this.#parts.forEach((flats, part) => {
      if (!this.#reads.has(part)) this.#addKept(flats, add);
    });
    if (keep !== undefined) {
      const kept = this.#keptAt(keep);
      this.#gradients.forEach((flat, i) => this.#device.copy(flat, kept[i]));
    }
  }

  /**
   * Makes of the gradients of the ranks their sum, in all of them; the first `branches` ranks had micro batches. Waits
   * for the device, and for the other ranks.
   */
  async reduce(branches: number): Promise<void> {
    if (this.#world.size === 1) return;
    // As they become known: the last layer first, what belongs to none at the end.
    const others = this.#parts.length - 1;
    for (const part of [...Array(others).keys()].reverse().concat(others)) {
      if (!this.#reads.has(part)) this.#read(part);
      const [values] = await this.#reads.get(part)!;
      for (let from = 0; from < values.length; from += BUCKET) {
        await this.#reduce(values.subarray(from, from + BUCKET), branches);
      }
      writeSegments(this.#device, this.#parts[part], values);
    }
  }

  /** Frees its arrays. */
  destroy(): void {
    for (const flat of this.#kept.flat()) this.#device.destroy(flat);
  }

  #keptAt(level: number): readonly Flat[] {
    return this.#kept[level] ??= this.#gradients.map(({ length }) => this.#device.createFlat("f32", length));
  }

  #addKept(flats: readonly Flat[], levels: readonly number[]): void {
    for (const level of levels) {
      for (const flat of flats) {
        const segment = this.#gradients.findIndex(({ buffer }) => buffer === flat.buffer);
        const at = (flat.offset - this.#gradients[segment].offset) / 4;
        const kept = this.#kept[level][segment];
        accumulate(
          this.#device,
          flat.length === kept.length ? kept : this.#device.slice(kept, at, flat.length),
          flat,
        );
      }
    }
  }

  /** Starts to read the gradients of a part, as they are after all that is recorded by now. */
  #read(part: number): void {
    const read = readSegments(this.#device, this.#parts[part]);
    read.catch(() => {}); // told by the one who waits for it
    this.#reads.set(part, read);
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
    await this.#world.collect(treeSum(terms, (sum, more) => this.#world.add(sum, more)), send);
    values.set(send.subarray(0, values.length));
  }
}

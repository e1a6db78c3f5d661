import type { World } from "../../base/parallel/world.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";
import { MOST_READ } from "../parameters/flat_segments.ts";

/** Numbers that shares begin at a multiple of, so that they can be bound: 256 bytes. */
const ALIGNED = 64;

/** A block of a segment, of which every rank has a share of the same length, the last ones what is left. */
interface Block {
  segment: number;
  /** First number of the block in its segment, and the one after its last. */
  at: number;
  end: number;
  /** Numbers of a share. */
  share: number;
}

/** What one rank has of a block. */
export interface OwnShare {
  segment: number;
  /** First number in the segment. */
  at: number;
  length: number;
  /** Place of the first in the own numbers of the segment. */
  own: number;
}

/**
 * Which numbers of arrays that lie in several flats are whose, where ranks keep a share each (ZeRO, Rajbhandari et al.
 * 2020, stage 1). Shares lie in blocks, so that one of all of them can be put together at a time.
 */
export class NumberShares {
  /** What this rank has, in order. */
  readonly own: readonly OwnShare[];
  #device: Device;
  #world: World;
  #blocks: readonly Block[];
  #most: number;

  /** `lengths` of the flats; blocks have about `most` numbers, and so many are read at once: 16 MiB. */
  constructor(device: Device, world: World, lengths: readonly number[], most = MOST_READ) {
    const { rank, size } = world;
    this.#device = device;
    this.#world = world;
    this.#most = most;
    const block = size * ALIGNED * Math.max(1, Math.floor(most / (size * ALIGNED)));
    this.#blocks = lengths.flatMap((length, segment) =>
      Array.from({ length: Math.ceil(length / block) }, (_, i) => {
        const at = i * block, end = Math.min(length, at + block);
        return { segment, at, end, share: ALIGNED * Math.ceil((end - at) / (size * ALIGNED)) };
      })
    );
    const used = lengths.map(() => 0);
    this.own = this.#blocks.map(({ segment, at, end, share }) => {
      const first = Math.min(end, at + rank * share);
      const length = Math.min(end, first + share) - first;
      const own = used[segment];
      used[segment] += share;
      return { segment, at: first, length, own };
    });
  }

  /** Arrays for the own numbers of each flat, zeros. */
  create(): Flat[] {
    const lengths: number[] = [];
    for (const { segment, share } of this.#blocks) lengths[segment] = (lengths[segment] ?? 0) + share;
    return lengths.map((length) => this.#device.createFlat("f32", length));
  }

  /** Makes of `flats`, in which each rank has its own numbers right, whole ones. Waits for the device and the ranks. */
  async gather(flats: readonly Flat[]): Promise<void> {
    const own = this.own.map(({ segment, at, length }) => this.part(flats[segment], at, length));
    for await (const { block, all } of this.#blocksOf(own)) {
      const { segment, at, end } = block;
      this.#device.write(this.part(flats[segment], at, end - at)!, all.subarray(0, end - at));
    }
  }

  /** The whole of an array of which each rank has `own`, block by block. All ranks go through it. */
  async *read(own: readonly Flat[]): AsyncGenerator<{ from: number; data: Float32Array<ArrayBuffer> }> {
    const parts = this.own.map(({ segment, own: place, length }) => this.part(own[segment], place, length));
    let from = 0;
    for await (const { block: { at, end }, all } of this.#blocksOf(parts)) {
      yield { from, data: all.slice(0, end - at) };
      from += end - at;
    }
  }

  /** Fills `own` with this rank's share of a whole array, of which `read` gives numbers. */
  async write(
    own: readonly Flat[],
    read: (from: number, length: number) => Promise<Float32Array | Uint32Array>,
  ): Promise<void> {
    let from = 0;
    for (const [i, { at: start, end }] of this.#blocks.entries()) {
      const { segment, at, length, own: place } = this.own[i];
      const part = this.part(own[segment], place, length);
      if (part) this.#device.write(part, await read(from + at - start, length));
      from += end - start;
    }
  }

  /** Blocks with the numbers of all ranks, one after the other, of which this one has `own`, read in few waits. */
  async *#blocksOf(
    own: readonly (Flat | undefined)[],
  ): AsyncGenerator<{ block: Block; all: Float32Array<ArrayBuffer> }> {
    for (let first = 0; first < own.length;) {
      let end = first, size = 0;
      while (end < own.length && (end === first || size + this.#blocks[end].share <= this.#most)) {
        size += this.#blocks[end++].share;
      }
      const flats = own.slice(first, end).flatMap((flat) => flat ?? []);
      const read = flats.length > 0 ? await this.#device.read(...flats) : [];
      for (; first < end; first++) {
        const block = this.#blocks[first];
        const slice = new Float32Array(block.share);
        if (own[first]) slice.set(read.shift()!);
        const all = new Float32Array(block.share * this.#world.size);
        await this.#world.collect(slice, all);
        yield { block, all };
      }
    }
  }

  /** Part of a flat from number `at`; undefined where it has none. */
  part(flat: Flat, at: number, length: number): Flat | undefined {
    if (length === 0) return undefined;
    return length === flat.length ? flat : this.#device.slice(flat, at, length);
  }
}

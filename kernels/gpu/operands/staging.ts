import type { Dispatch, Kernel } from "../kernel.ts";
import { type Flat, groupsOf, type Matrix } from "../tensor.ts";

/** Groups of four to a multiple of which rows in a staging buffer are padded: copies want rows of 256 bytes. */
const PITCH = 16;
/** Groups of a result from which the copy costs less than the stores that it spares. */
export const STAGED_FROM = 2048;
/** Bytes of a staging buffer; larger results are stored in their textures. */
const MOST_BYTES = 2 ** 26;

/** What of a device staging needs. */
interface FlatMaker {
  createFlat(dtype: "f32", length: number): Flat;
  destroy(flat: Flat): void;
}

/** Groups from one row of a staged result (N, cols) to the next. */
export function stagedPitch(cols: number): number {
  return Math.ceil(groupsOf(cols) / PITCH) * PITCH;
}

/** Bytes of a staged result. */
export function stagedBytes({ rows, cols }: Matrix): number {
  return rows * stagedPitch(cols) * 16;
}

/**
 * Buffers in which kernels leave results that belong in textures. llvmpipe stores into a texture number by number, with
 * the address of each on the stack: 4 to 4.7 ns of processor time a number, where a store into a buffer costs .8 to 1.5 and
 * the copy from there .3 (Mesa 22.3). A buffer a result of a dispatch is enough, since the copy follows at once.
 */
export class Staging {
  readonly #from: number;
  readonly #maker: FlatMaker;
  #flats: Flat[] = [];

  /** For results of `from` groups and more, in flats of `maker`. */
  constructor(from: number, maker: FlatMaker) {
    this.#from = from;
    this.#maker = maker;
  }

  /** A flat a result of this dispatch, with room for it; undefined where it is better stored in the textures. */
  of({ staged }: Kernel, { outputs = [] }: Dispatch): Flat[] | undefined {
    if (!staged || outputs.length === 0) return undefined;
    if (outputs.every(({ rows, cols }) => rows * groupsOf(cols) < this.#from)) return undefined;
    if (outputs.some((matrix) => stagedBytes(matrix) > MOST_BYTES)) return undefined;
    return outputs.map((matrix, i) => {
      const numbers = stagedBytes(matrix) / 4;
      const known = this.#flats[i];
      if (known && known.length >= numbers) return known;
      if (known) this.#maker.destroy(known);
      return this.#flats[i] = this.#maker.createFlat("f32", numbers);
    });
  }

  /** Frees the buffers. */
  clear(): void {
    const flats = this.#flats;
    this.#flats = [];
    flats.forEach((flat) => this.#maker.destroy(flat));
  }
}

/** Records the copies of what a dispatch left in `staged` to where it belongs. */
export function copyStaged(
  encoder: GPUCommandEncoder,
  staged: readonly Flat[],
  { outputs = [], written }: Dispatch,
): void {
  outputs.forEach(({ rows, cols, storage }, i) => {
    if (storage.layout !== "texture") return;
    const { start, count } = i === 0 && written ? written : { start: 0, count: cols };
    const bytesPerRow = stagedPitch(cols) * 16;
    encoder.copyBufferToTexture(
      { buffer: staged[i].buffer, offset: start * 4, bytesPerRow },
      { texture: storage.texture, origin: [start / 4, 0] },
      [groupsOf(count), rows],
    );
  });
}

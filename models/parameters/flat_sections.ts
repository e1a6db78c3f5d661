import type { Device } from "../../kernels/gpu/device.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";

/** Arrays of fixed lengths in a single buffer: an upload of all of them is one write, and bind groups never change. */
export class FlatSections<Name extends string> {
  /** The arrays, u32. */
  readonly flats: Readonly<Record<Name, Flat>>;
  #device: Device;
  #all: Flat;
  #host: Uint32Array;
  #starts: Record<string, number> = {};

  /** `lengths`: numbers in each array. */
  constructor(device: Device, lengths: Readonly<Record<Name, number>>) {
    this.#device = device;
    let end = 0;
    const entries = Object.entries(lengths) as [Name, number][];
    for (const [name, length] of entries) {
      this.#starts[name] = end;
      end = Math.ceil((end + length) / 64) * 64; // slices start at multiples of 256 bytes
    }
    this.#all = device.createFlat("u32", end);
    this.#host = new Uint32Array(end);
    this.flats = Object.fromEntries(
      entries.map(([name, length]) => [name, device.slice(this.#all, this.#starts[name], length)]),
    ) as Record<Name, Flat>;
  }

  /** Uploads these arrays, at most as long as theirs; the others keep what was last written to them. */
  write(arrays: Partial<Readonly<Record<Name, Uint32Array | Float32Array>>>): void {
    for (const [name, values] of Object.entries(arrays) as [Name, Uint32Array | Float32Array][]) {
      const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
      this.#host.set(bits, this.#starts[name]);
    }
    this.#device.write(this.#all, this.#host);
  }

  /** One of the arrays as numbers. */
  asFloats(name: Name): Flat {
    return { ...this.flats[name], dtype: "f32" };
  }

  destroy(): void {
    this.#device.destroy(this.#all);
  }
}

import type { Device } from "../../kernels/gpu/device.ts";
import type { Flat } from "../../kernels/gpu/tensor.ts";

/**
 * Most elements that are read back at a time: each needs as much staging memory again. A multiple of what slices are
 * aligned to.
 */
export const MOST_READ = 2 ** 22;

/** Host copies of arrays that lie in several flats each, f32. All that fits is read in one wait. */
export async function readSegments(
  device: Device,
  ...arrays: (readonly Flat[])[]
): Promise<Float32Array<ArrayBuffer>[]> {
  const copies = arrays.map((flats) => new Float32Array(lengthOf(flats)));
  let waiting: { flat: Flat; to: Float32Array }[] = [];
  let size = 0;
  const flush = async () => {
    const found = await device.read(...waiting.map(({ flat }) => flat));
    found.forEach((data, i) => waiting[i].to.set(data));
    waiting = [];
    size = 0;
  };
  for (const [i, flats] of arrays.entries()) {
    for (const { flat, start } of piecesOf(device, flats)) {
      if (size > 0 && size + flat.length > MOST_READ) await flush();
      waiting.push({ flat, to: copies[i].subarray(start, start + flat.length) });
      size += flat.length;
    }
  }
  if (size > 0) await flush();
  return copies;
}

/** Flats, seen as one array, f32, in parts of at most 16 MiB: values from `from` on. */
export async function* readParts(
  device: Device,
  flats: readonly Flat[],
): AsyncGenerator<{ from: number; data: Float32Array<ArrayBuffer> }> {
  for (const { flat, start } of piecesOf(device, flats)) {
    const [data] = await device.read(flat);
    yield { from: start, data: data as Float32Array<ArrayBuffer> };
  }
}

/** Fills flats, seen as one array, with `values`. */
export function writeSegments(device: Device, flats: readonly Flat[], values: Float32Array): void {
  writingSegments(device, flats, values).forEach(() => {});
}

/** {@link writeSegments} in pieces of at most 16 MiB; yields how many numbers each has. */
export function* writingSegments(
  device: Device,
  flats: readonly Flat[],
  values: Float32Array,
): Generator<number> {
  for (const { flat, start } of piecesOf(device, flats)) {
    device.write(flat, values.subarray(start, start + flat.length));
    yield flat.length;
  }
}

/** Fills flats, seen as one array, with what `read` gives of it, in parts of at most 16 MiB. */
export async function writeParts(
  device: Device,
  flats: readonly Flat[],
  read: (from: number, length: number) => Promise<Float32Array | Uint32Array>,
): Promise<void> {
  for (const { flat, start } of piecesOf(device, flats)) device.write(flat, await read(start, flat.length));
}

/** Elements of several flats together. */
export function lengthOf(flats: readonly Flat[]): number {
  return flats.reduce((sum, { length }) => sum + length, 0);
}

function* piecesOf(device: Device, flats: readonly Flat[]): Generator<{ flat: Flat; start: number }> {
  let start = 0;
  for (const flat of flats) {
    for (let at = 0; at < flat.length; at += MOST_READ) {
      const length = Math.min(MOST_READ, flat.length - at);
      yield { flat: length === flat.length ? flat : device.slice(flat, at, length), start: start + at };
    }
    start += flat.length;
  }
}

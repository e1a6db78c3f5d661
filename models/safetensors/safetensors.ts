import type { FilePiece, PieceFile } from "../../base/files/pieces.ts";
import { UserError } from "../../base/user_error.ts";
import { BYTES, PREFIX_BYTES, readHeader, sizeOf, type StoredFormat } from "./header.ts";

/** A tensor as it came from a file. */
export interface StoredTensor {
  /** What the file holds. */
  dtype: StoredFormat;
  /** Last index fastest; empty for a scalar. */
  shape: number[];
  /** Values widened to single precision. */
  data: Float32Array<ArrayBuffer>;
}

/** A tensor that is still to come. */
export interface TensorShape {
  /** Name of the tensor. */
  name: string;
  /** Last index fastest; empty for a scalar. */
  shape: readonly number[];
  /** Its number format. Default: that of the file. */
  dtype?: StoredFormat;
}

/** How to write a file. */
export interface SafetensorsOptions {
  /** Number format of tensors that say none; default "F32". Narrower formats round to nearest, ties to even. */
  dtype?: StoredFormat;
  /** Free text pairs kept in the header. Hugging Face transformers wants `{ format: "pt" }`, the default. */
  metadata?: Record<string, string>;
}

const LARGEST_HALF = 65504;

/**
 * Reads a safetensors file (format: github.com/huggingface/safetensors) into single precision, tensors in file order.
 * `source` is the file name for messages.
 * @throws {UserError} if the file is cut off or damaged, or a tensor has a format other than F32, F16 and BF16.
 */
export function readSafetensors(bytes: Uint8Array, source = "model.safetensors"): Map<string, StoredTensor> {
  const { entries } = readHeader(bytes, bytes.length, source);
  return new Map(entries.map(({ name, dtype, shape, begin, end }) => {
    // A copy, because typed arrays must start on a multiple of their width and headers need not end on one.
    const { buffer } = bytes.slice(begin, end);
    return [name, { dtype, shape, data: widen(buffer as ArrayBuffer, dtype) }];
  }));
}

/** Reads the free text pairs of a safetensors header; throws as {@link readSafetensors}. */
export function readSafetensorsMetadata(
  bytes: Uint8Array,
  source = "model.safetensors",
): Record<string, string> {
  return readHeader(bytes, bytes.length, source).metadata;
}

/**
 * Writes a safetensors file, tensors sorted by name: the same tensors give the same bytes, and the same as the
 * original library's.
 * @throws {RangeError} if a shape and its data disagree in size.
 * @throws {UserError} if a finite value is too large for the number format.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>,
  options: SafetensorsOptions = {},
): Uint8Array<ArrayBuffer> {
  const shapes = Array.from(tensors, ([name, { shape }]) => ({ name, shape }));
  const writer = new SafetensorsWriter(shapes, options);
  for (const [name, { data }] of tensors) writer.add(name, data);
  return writer.finish();
}

/** A part of a tensor: all of it, or values from `from` on. */
export interface TensorPart {
  /** Name of the tensor. */
  name: string;
  /** Number of the first value; without it, `data` is the whole tensor. */
  from?: number;
  /** Values. */
  data: Float32Array;
}

/**
 * A safetensors file in pieces, so that memory holds one part of a tensor at a time. Parts come in any order, each value
 * once; those of one tensor after one another. Throws as {@link writeSafetensors}, and `RangeError` for a tensor that was not
 * announced or did not come.
 */
export function safetensorsPieces(
  shapes: readonly TensorShape[],
  parts: AsyncIterable<TensorPart>,
  options: SafetensorsOptions = {},
): PieceFile {
  const layout = new SafetensorsLayout(shapes, options);
  return {
    size: layout.size,
    pieces: (async function* () {
      yield { at: 0, bytes: layout.header };
      for await (const part of parts) yield layout.piece(part);
      layout.finish();
    })(),
  };
}

/** A safetensors file that takes its tensors one after the other, so that memory never holds them all twice. */
export class SafetensorsWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #layout: SafetensorsLayout;

  /** Makes room for tensors of these names and shapes. */
  constructor(shapes: readonly TensorShape[], options: SafetensorsOptions = {}) {
    this.#layout = new SafetensorsLayout(shapes, options);
    this.#bytes = new Uint8Array(this.#layout.size);
    this.#bytes.set(this.#layout.header);
  }

  /** Writes one tensor; each comes once, in any order. Throws as {@link writeSafetensors}. */
  add(name: string, data: Float32Array): void {
    const { at, bytes } = this.#layout.piece({ name, data });
    this.#bytes.set(bytes, at);
  }

  /** Hands over the bytes of the file, once. Throws `RangeError` if a tensor did not come. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#layout.finish();
    const bytes = this.#bytes;
    this.#bytes = new Uint8Array(0); // what is handed over is no longer kept alive
    return bytes;
  }
}

/** The header of a file of these tensors, where each lies in it, sorted by name, and the bytes of the whole file. */
export function safetensorsHeader(
  shapes: readonly TensorShape[],
  { dtype = "F32", metadata = { format: "pt" } }: SafetensorsOptions = {},
): { bytes: Uint8Array<ArrayBuffer>; places: { name: string; begin: number; end: number }[]; size: number } {
  // Joined by hand: an object literal would move names that look like whole numbers to the front.
  const fields = Object.keys(metadata).length > 0 ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  const sorted = shapes.toSorted((a, b) => a.name < b.name ? -1 : 1);
  let end = 0;
  const offsets = sorted.map(({ name, shape, dtype: own = dtype }) => {
    const begin = end;
    end += sizeOf(shape) * BYTES[own];
    fields.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype: own, shape, data_offsets: [begin, end] })}`,
    );
    return { name, begin, end };
  });
  const text = new TextEncoder().encode(`{${fields.join(",")}}`);
  const headerBytes = Math.ceil(text.length / 8) * 8;
  const dataStart = PREFIX_BYTES + headerBytes;
  const bytes = new Uint8Array(dataStart);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(" ".charCodeAt(0), PREFIX_BYTES);
  bytes.set(text, PREFIX_BYTES);
  const places = offsets.map(({ name, begin, end }) => ({
    name,
    begin: dataStart + begin,
    end: dataStart + end,
  }));
  return { bytes, places, size: dataStart + end };
}

/** Where the tensors of a file are, sorted by name, and which are still to come. */
class SafetensorsLayout {
  /** First bytes of the file. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** Bytes of the whole file. */
  readonly size: number;
  /** What is still to come: first byte in the file, and number of values. */
  #places = new Map<
    string,
    { position: number; length: number; left: number; shape: readonly number[]; dtype: StoredFormat }
  >();

  constructor(shapes: readonly TensorShape[], options: SafetensorsOptions) {
    const { bytes, places, size } = safetensorsHeader(shapes, options);
    this.header = bytes;
    this.size = size;
    const byName = new Map(shapes.map((shape) => [shape.name, shape]));
    for (const { name, begin } of places) {
      const { shape, dtype = options.dtype ?? "F32" } = byName.get(name)!;
      const length = sizeOf(shape);
      this.#places.set(name, { position: begin, length, left: length, shape, dtype });
    }
  }

  /** The bytes of a part, and their place; of single precision those of `data` itself. */
  piece({ name, from, data }: TensorPart): FilePiece {
    const place = this.#places.get(name);
    if (!place) throw new RangeError(`Cannot write tensor ${name}: it was written before or not announced`);
    const found = from === undefined ? data.length : from + data.length;
    if (from === undefined ? found !== place.length : found > place.length || data.length > place.left) {
      throw new RangeError(
        `Cannot write tensor ${name} (${
          place.shape.join(", ")
        }): it has ${found} values, expected ${place.length}`,
      );
    }
    const bytes = bytesOf(name, data, place.dtype);
    place.left -= data.length;
    if (place.left === 0) this.#places.delete(name);
    return { at: place.position + (from ?? 0) * BYTES[place.dtype], bytes };
  }

  /** Throws `RangeError` if a tensor did not come. */
  finish(): void {
    const [missing] = this.#places.keys();
    if (missing !== undefined) throw new RangeError(`Cannot finish the file: tensor ${missing} did not come`);
  }
}

/** First NaN or infinite value among some tensors, or undefined where all are finite. */
export function findNonFinite(
  tensors: ReadonlyMap<string, { data: Float32Array }>,
): { name: string; index: number; value: number } | undefined {
  for (const [name, { data }] of tensors) {
    for (let index = 0; index < data.length; index++) {
      if (!Number.isFinite(data[index])) return { name, index, value: data[index] };
    }
  }
}

/** Numbers of a format in single precision. */
export function widen(buffer: ArrayBuffer, dtype: StoredFormat): Float32Array<ArrayBuffer> {
  if (dtype === "F32") return new Float32Array(buffer);
  if (dtype === "F16") return new Float32Array(new Float16Array(buffer));
  const bits = new Uint32Array(buffer.byteLength / 2);
  new Uint16Array(buffer).forEach((half, i) => bits[i] = half << 16);
  return new Float32Array(bits.buffer);
}

/** `data` in another format, rounded; in single precision its own bytes. */
function bytesOf(name: string, data: Float32Array, dtype: StoredFormat): Uint8Array<ArrayBuffer> {
  if (dtype === "F32") return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  const out = new Uint16Array(data.length);
  if (dtype === "F16") new Float16Array(out.buffer).set(data);
  else roundToBrain(data, out);
  const infinity = dtype === "F16" ? 0x7c00 : 0x7f80;
  const overflow = out.findIndex((bits, i) => (bits & 0x7fff) === infinity && Number.isFinite(data[i]));
  if (overflow >= 0) {
    throw new UserError(
      `Cannot write tensor ${name} as ${dtype}: value ${overflow} is ${data[overflow]}, beyond the largest ` +
        `${dtype === "F16" ? `half, ${LARGEST_HALF}` : "of that format"}. Write F32 instead`,
    );
  }
  return new Uint8Array(out.buffer);
}

/** Rounds single to brain precision, nearest, ties to even. */
function roundToBrain(data: Float32Array, out: Uint16Array): void {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i];
    // Adding to a NaN could carry it over into infinity: keep its top half and one bit that says NaN.
    out[i] = Number.isNaN(data[i]) ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

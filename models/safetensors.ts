import { UserError } from "../data/user_error.ts";
import { BYTES, PREFIX_BYTES, readHeader, sizeOf, type StoredFormat } from "./safetensors_header.ts";

/** A tensor as it came from a file. */
export interface StoredTensor {
  /** What the file holds. */
  dtype: StoredFormat;
  /** Last index fastest; empty for a scalar. */
  shape: number[];
  /** Values widened to single precision. */
  data: Float32Array<ArrayBuffer>;
}

/** How to write a file. */
export interface WriteOptions {
  /** Number format of every tensor; default "F32". Narrower formats round to nearest, ties to even. */
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
  { dtype = "F32", metadata = { format: "pt" } }: WriteOptions = {},
): Uint8Array<ArrayBuffer> {
  const names = [...tensors.keys()].sort();
  // Joined by hand: an object literal would move names that look like whole numbers to the front.
  const fields = Object.keys(metadata).length > 0 ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  let end = 0;
  for (const name of names) {
    const { shape, data } = tensors.get(name)!;
    if (sizeOf(shape) !== data.length) {
      throw new RangeError(
        `Cannot write tensor ${name} (${shape.join(", ")}): it has ${data.length} values, expected ${
          sizeOf(shape)
        }`,
      );
    }
    const begin = end;
    end += data.length * BYTES[dtype];
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  const header = new TextEncoder().encode(`{${fields.join(",")}}`);
  const headerBytes = Math.ceil(header.length / 8) * 8;
  const dataStart = PREFIX_BYTES + headerBytes;
  const bytes = new Uint8Array(dataStart + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(" ".charCodeAt(0), PREFIX_BYTES, dataStart);
  bytes.set(header, PREFIX_BYTES);
  let position = dataStart;
  for (const name of names) {
    const { data } = tensors.get(name)!;
    narrow(name, data, dtype, bytes.buffer, position);
    position += data.length * BYTES[dtype];
  }
  return bytes;
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

/** Rounds `data` into `buffer` from byte `position`, which is a multiple of the format's width. */
function narrow(
  name: string,
  data: Float32Array,
  dtype: StoredFormat,
  buffer: ArrayBuffer,
  position: number,
): void {
  if (dtype === "F32") {
    new Float32Array(buffer, position, data.length).set(data);
    return;
  }
  const out = new Uint16Array(buffer, position, data.length);
  if (dtype === "F16") new Float16Array(buffer, position, data.length).set(data);
  else roundToBrain(data, out);
  const infinity = dtype === "F16" ? 0x7c00 : 0x7f80;
  const overflow = out.findIndex((bits, i) => (bits & 0x7fff) === infinity && Number.isFinite(data[i]));
  if (overflow >= 0) {
    throw new UserError(
      `Cannot write tensor ${name} as ${dtype}: value ${overflow} is ${data[overflow]}, beyond the largest ` +
        `${dtype === "F16" ? `half, ${LARGEST_HALF}` : "of that format"}. Write F32 instead`,
    );
  }
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

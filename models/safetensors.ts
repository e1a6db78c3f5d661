import { z } from "zod";
import { UserError } from "../data/user_error.ts";

/** Number formats that are read and written: single, half and brain precision. */
export type StoredFormat = "F32" | "F16" | "BF16";

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

interface Entry {
  name: string;
  dtype: StoredFormat;
  shape: number[];
  begin: number;
  end: number;
}

interface Header {
  entries: Entry[];
  metadata: Record<string, string>;
  dataStart: number;
}

const BYTES: Record<StoredFormat, number> = { F32: 4, F16: 2, BF16: 2 };
const PREFIX_BYTES = 8;
const LARGEST_HALF = 65504;

const count = z.int().min(0);
const EntryJson = z.strictObject({
  dtype: z.string(),
  shape: z.array(count),
  data_offsets: z.tuple([count, count]),
});
const MetadataJson = z.record(z.string(), z.string());

/**
 * Reads a safetensors file (format: github.com/huggingface/safetensors) into single precision, tensors in file order.
 * `source` is the file name for messages.
 * @throws {UserError} if the file is cut off or damaged, or a tensor has a format other than F32, F16 and BF16.
 */
export function readSafetensors(bytes: Uint8Array, source = "model.safetensors"): Map<string, StoredTensor> {
  const { entries, dataStart } = readHeader(bytes, source);
  return new Map(entries.map(({ name, dtype, shape, begin, end }) => {
    // A copy, because typed arrays must start on a multiple of their width and headers need not end on one.
    const { buffer } = bytes.slice(dataStart + begin, dataStart + end);
    return [name, { dtype, shape, data: widen(buffer as ArrayBuffer, dtype) }];
  }));
}

/** Reads the free text pairs of a safetensors header; throws as {@link readSafetensors}. */
export function readSafetensorsMetadata(
  bytes: Uint8Array,
  source = "model.safetensors",
): Record<string, string> {
  return readHeader(bytes, source).metadata;
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

function readHeader(bytes: Uint8Array, source: string): Header {
  const fail = (problem: string): never => {
    throw new UserError(`Cannot read ${source}: ${problem}. Fetch or save the file again`);
  };
  if (bytes.length < PREFIX_BYTES) {
    fail(`the file has ${bytes.length} bytes, a safetensors file has at least ${PREFIX_BYTES}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const dataStart = PREFIX_BYTES + headerBytes;
  if (dataStart > bytes.length) {
    fail(
      `its header should end at byte ${dataStart}, but the file has ${bytes.length} bytes: cut off or another format`,
    );
  }
  const { text, fields } = parseHeader(bytes.subarray(PREFIX_BYTES, dataStart), fail);
  const repeated = repeatedKey(text);
  if (repeated !== undefined) fail(`tensor ${JSON.stringify(repeated)} is listed twice`);

  let metadata: Record<string, string> = {};
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (name === "__metadata__") {
      const parsed = MetadataJson.safeParse(value);
      metadata = parsed.success ? parsed.data : fail("field __metadata__ is not an object of strings");
    } else {
      entries.push(readEntry(name, value, fail));
    }
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let position = 0;
  for (const { name, begin, end } of entries) {
    if (begin < position) {
      fail(`tensor ${name} starts at byte ${begin} of the data, inside the tensor before it`);
    }
    if (begin > position) {
      fail(`bytes ${position} to ${begin} of the data, before tensor ${name}, belong to no tensor`);
    }
    position = end;
  }
  if (dataStart + position !== bytes.length) {
    fail(`its tensors should end at byte ${dataStart + position}, but the file has ${bytes.length} bytes`);
  }
  return { entries, metadata, dataStart };
}

function parseHeader(bytes: Uint8Array, fail: (problem: string) => never): { text: string; fields: object } {
  let text: string;
  let fields: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    fields = JSON.parse(text);
  } catch (error) {
    return fail(`its header is not JSON (${(error as Error).message})`);
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    return fail("its header is not a JSON object");
  }
  return { text, fields };
}

function readEntry(name: string, value: unknown, fail: (problem: string) => never): Entry {
  const parsed = EntryJson.safeParse(value);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    return fail(`tensor ${name}, field ${path.join(".") || "(whole)"}: ${message}`);
  }
  const { dtype, shape, data_offsets: [begin, end] } = parsed.data;
  if (!(dtype in BYTES)) {
    return fail(
      `tensor ${name} has number format ${dtype}, expected one of ${Object.keys(BYTES).join(", ")}`,
    );
  }
  const expected = sizeOf(shape) * BYTES[dtype as StoredFormat];
  if (end - begin !== expected) {
    return fail(
      `tensor ${name} ${dtype} (${shape.join(", ")}) has ${end - begin} bytes, expected ${expected}`,
    );
  }
  return { name, dtype: dtype as StoredFormat, shape, begin, end };
}

/** First key that a JSON object's own level holds twice: `JSON.parse` would keep the last one silently. */
function repeatedKey(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[[\]{}]/g)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && token.endsWith(":")) {
      const key: string = JSON.parse(token.slice(0, -1));
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
}

function widen(buffer: ArrayBuffer, dtype: StoredFormat): Float32Array<ArrayBuffer> {
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

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

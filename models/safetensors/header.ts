import { z } from "zod";
import type { ReadFiles } from "../../base/files/disk.ts";
import { repeatedKey } from "../../base/json.ts";
import { UserError } from "../../base/user_error.ts";

/** Number formats that are read and written: single, half and brain precision. */
export type StoredFormat = "F32" | "F16" | "BF16";

/** Bytes a number. */
export const BYTES: Readonly<Record<StoredFormat, number>> = { F32: 4, F16: 2, BF16: 2 };

/** Bytes before the header: its length as a little-endian integer. */
export const PREFIX_BYTES = 8;

/** A tensor as a header lists it. */
export interface TensorEntry {
  /** Name of the tensor. */
  name: string;
  /** Number format. */
  dtype: StoredFormat;
  /** Last index fastest; empty for a scalar. */
  shape: number[];
  /** First byte in the file. */
  begin: number;
  /** One past its last byte in the file. */
  end: number;
}

/** What a safetensors file says of itself. */
export interface SafetensorsHeader {
  /** In the order of the file. */
  entries: TensorEntry[];
  /** Free text pairs. */
  metadata: Record<string, string>;
}

// As in the original library: no header of a real model is longer, so that a damaged length allocates no more.
const MAX_HEADER_BYTES = 100_000_000;

const count = z.int().min(0);
const EntryJson = z.strictObject({
  dtype: z.string(),
  shape: z.array(count),
  data_offsets: z.tuple([count, count]),
});
const MetadataJson = z.record(z.string(), z.string());

/**
 * Where the header of a safetensors file of `fileBytes` bytes ends, from the file's first {@link PREFIX_BYTES} bytes.
 * @throws {UserError} if that is beyond the end of the file, or the header is longer than the format allows.
 */
function headerEnd(bytes: Uint8Array, fileBytes: number, source: string): number {
  const fail = failure(source);
  if (fileBytes < PREFIX_BYTES) {
    fail(`the file has ${fileBytes} bytes, a safetensors file has at least ${PREFIX_BYTES}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = PREFIX_BYTES + Number(view.getBigUint64(0, true));
  if (end > fileBytes) {
    fail(
      `its header should end at byte ${end}, but the file has ${fileBytes} bytes: cut off or another format`,
    );
  }
  if (end > PREFIX_BYTES + MAX_HEADER_BYTES) {
    fail(
      `its header should have ${end - PREFIX_BYTES} bytes, more than the ${MAX_HEADER_BYTES} of the format`,
    );
  }
  return end;
}

/**
 * Reads the header of a safetensors file of `fileBytes` bytes, of which `bytes` are at least those up to
 * {@link headerEnd}.
 * @throws {UserError} if it is damaged, or does not fit the length of the file.
 */
export function readHeader(bytes: Uint8Array, fileBytes: number, source: string): SafetensorsHeader {
  const fail = failure(source);
  const dataStart = headerEnd(bytes, fileBytes, source);
  const { text, fields } = parseHeader(bytes.subarray(PREFIX_BYTES, dataStart), fail);
  const repeated = repeatedKey(text);
  if (repeated !== undefined) fail(`tensor ${JSON.stringify(repeated)} is listed twice`);

  let metadata: Record<string, string> = {};
  const entries: TensorEntry[] = [];
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
  if (dataStart + position !== fileBytes) {
    fail(`its tensors should end at byte ${dataStart + position}, but the file has ${fileBytes} bytes`);
  }
  for (const entry of entries) {
    entry.begin += dataStart;
    entry.end += dataStart;
  }
  return { entries, metadata };
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

function readEntry(name: string, value: unknown, fail: (problem: string) => never): TensorEntry {
  const parsed = EntryJson.safeParse(value);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    return fail(`tensor ${name}, field ${path.join(".") || "(whole)"}: ${message}`);
  }
  const { dtype, shape, data_offsets: [begin, end] } = parsed.data;
  if (!Object.hasOwn(BYTES, dtype)) {
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

/** Reads no more of a file than its header. Throws {@link UserError} as {@link readHeader}. */
export async function readFileHeader(
  path: string,
  files: Pick<ReadFiles, "readRange" | "fileSize">,
): Promise<SafetensorsHeader> {
  const size = await files.fileSize(path);
  const prefix = await files.readRange(path, 0, Math.min(size, PREFIX_BYTES));
  return readHeader(await files.readRange(path, 0, headerEnd(prefix, size, path)), size, path);
}

/** Numbers in a tensor of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

function failure(source: string): (problem: string) => never {
  return (problem) => {
    throw new UserError(`Cannot read ${source}: ${problem}. Fetch or save the file again`);
  };
}

import { UserError } from "../../base/user_error.ts";
import type { ModelFiles } from "../hugging_face/weight_files.ts";
import { BLOCKS, type GgufFormat } from "./blocks.ts";

/** A value of a GGUF file's metadata. */
export type GgufValue = number | bigint | boolean | string | GgufValue[];

/** A tensor of a GGUF file. */
export interface GgufTensor {
  name: string;
  format: GgufFormat;
  /** Last index fastest, as in PyTorch. */
  shape: number[];
  /** Its first byte in the file. */
  begin: number;
  /** One past its last. */
  end: number;
}

/** What stands before the numbers of a GGUF file. */
export interface GgufHeader {
  metadata: Map<string, GgufValue>;
  tensors: GgufTensor[];
}

/** Number formats by their ids in the file (ggml.h, `enum ggml_type`). */
const FORMATS = new Map<number, GgufFormat>([
  [0, "F32"],
  [1, "F16"],
  [2, "Q4_0"],
  [3, "Q4_1"],
  [8, "Q8_0"],
  [12, "Q4_K"],
  [14, "Q6_K"],
  [30, "BF16"],
]);
/** What files in other formats are called. */
const OTHERS = new Map<number, string>([
  [6, "Q5_0"],
  [7, "Q5_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [13, "Q5_K"],
  [15, "Q8_K"],
]);

const MAGIC = 0x46554747; // "GGUF", little endian
const DEFAULT_ALIGNMENT = 32;
// Tokens and merges of a vocabulary of 150,000 take about 6 MB.
const FIRST_READ = 2 ** 23;
const MOST_HEADER = 2 ** 28;
const MOST_ENTRIES = 2 ** 20;

/**
 * Reads the header of a GGUF file, versions 2 and 3, and checks that its tensors lie in the file one after the other.
 * @throws {UserError} for a file that is cut off, damaged, of another kind, or has a tensor in a format that is not read.
 */
export async function readGgufHeader(
  path: string,
  files: Pick<ModelFiles, "readRange" | "fileSize">,
): Promise<GgufHeader> {
  const size = await files.fileSize(path);
  for (let length = Math.min(size, FIRST_READ);; length = Math.min(size, 4 * length)) {
    const bytes = await files.readRange(path, 0, length);
    try {
      return parseHeader(bytes, size, path);
    } catch (error) {
      if (!(error instanceof CutOff)) throw error;
      if (length === size || length >= MOST_HEADER) {
        throw new UserError(
          `Cannot read ${path}: its header goes on after byte ${length}. It is cut off, fetch it again`,
        );
      }
    }
  }
}

/** More bytes than were read are needed. */
class CutOff extends Error {}

function parseHeader(bytes: Uint8Array<ArrayBuffer>, size: number, path: string): GgufHeader {
  const fail = (problem: string, remedy = "Fetch it again"): never => {
    throw new UserError(`Cannot read ${path}: ${problem}. ${remedy}`);
  };
  const read = new Reader(bytes, fail);
  if (size < 4 || read.u32() !== MAGIC) {
    fail("it does not begin with GGUF", "Expected a model of llama.cpp in one file");
  }
  const version = read.u32();
  // Such files begin with the same four bytes; all other numbers are turned.
  if (version !== 0 && (version & 0xffff) === 0) {
    fail(
      "it is big-endian, expected little-endian",
      "Convert it with `gguf-convert-endian FILE little`, of the package gguf",
    );
  }
  if (version !== 2 && version !== 3) {
    fail(`it is GGUF of version ${version}, expected 2 or 3`, "Convert it with llama.cpp of today");
  }
  const tensorCount = read.count("tensors"), entries = read.count("metadata entries");
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < entries; i++) {
    const key = read.text();
    if (metadata.has(key)) fail(`metadata ${key} is there twice`);
    metadata.set(key, read.value(read.u32()));
  }
  const found: { name: string; format: GgufFormat; shape: number[]; offset: number; bytes: number }[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const name = read.text();
    if (names.has(name)) fail(`tensor ${name} is there twice`);
    names.add(name);
    const dimensions = read.u32();
    if (dimensions < 1 || dimensions > 4) {
      fail(`tensor ${name} has ${dimensions} dimensions, expected 1 to 4`);
    }
    const shape = Array.from({ length: dimensions }, () => read.length(`tensor ${name}`)).reverse();
    const id = read.u32();
    const format = FORMATS.get(id);
    if (format === undefined) {
      return fail(
        `tensor ${name} is in number format ${OTHERS.get(id) ?? id}, expected one of ${
          [...FORMATS.values()].join(", ")
        }`,
        "Fetch the model in one of these, such as Q8_0 or F16",
      );
    }
    const { numbers, bytes } = BLOCKS[format];
    const cols = shape.at(-1)!;
    if (cols % numbers !== 0) {
      fail(`tensor ${name} has rows of ${cols} numbers, expected blocks of ${numbers} in ${format}`);
    }
    const offset = read.length(`tensor ${name}`);
    found.push({ name, format, shape, offset, bytes: shape.reduce((a, b) => a * b, 1) / numbers * bytes });
  }
  const alignment = Number(metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT);
  if (!(alignment >= 1)) fail(`general.alignment is ${alignment}, expected 1 or more`);
  const data = Math.ceil(read.at / alignment) * alignment;
  let free = 0;
  const tensors = found.map(({ name, format, shape, offset, bytes }) => {
    if (offset < free || offset % alignment !== 0) {
      fail(`tensor ${name} begins at ${offset} inside another one`);
    }
    free = offset + bytes;
    return { name, format, shape, begin: data + offset, end: data + offset + bytes };
  });
  if (data + free > size) {
    fail(
      `its tensors should end at byte ${data + free}, but the file has ${size} bytes`,
      "It is cut off, fetch it again",
    );
  }
  return { metadata, tensors };
}

/** Bytes of a GGUF header, in order. */
class Reader {
  at = 0;
  #view: DataView;
  #bytes: Uint8Array;
  #fail: (problem: string) => never;

  constructor(bytes: Uint8Array<ArrayBuffer>, fail: (problem: string) => never) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#fail = fail;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A length or offset: a number that a program can count to. */
  length(what: string): number {
    const value = Number(this.#view.getBigUint64(this.#take(8), true));
    return Number.isSafeInteger(value) ? value : this.#fail(`${what} has a length of ${value}`);
  }

  /** A number of entries. */
  count(what: string): number {
    const count = this.length(what);
    return count <= MOST_ENTRIES ? count : this.#fail(`it has ${count} ${what}`);
  }

  text(): string {
    const length = this.length("a text");
    const start = this.#take(length);
    return new TextDecoder().decode(this.#bytes.subarray(start, start + length));
  }

  /** A value of type `type` (gguf.h, `enum gguf_type`). */
  value(type: number): GgufValue {
    const view = this.#view;
    switch (type) {
      case 0:
        return view.getUint8(this.#take(1));
      case 1:
        return view.getInt8(this.#take(1));
      case 2:
        return view.getUint16(this.#take(2), true);
      case 3:
        return view.getInt16(this.#take(2), true);
      case 4:
        return this.u32();
      case 5:
        return view.getInt32(this.#take(4), true);
      case 6:
        return view.getFloat32(this.#take(4), true);
      case 7:
        return view.getUint8(this.#take(1)) !== 0;
      case 8:
        return this.text();
      case 9: {
        const of = this.u32(), count = this.count("values of an array");
        if (of === 9) this.#fail("its metadata has an array of arrays");
        return Array.from({ length: count }, () => this.value(of));
      }
      case 10:
        return view.getBigUint64(this.#take(8), true);
      case 11:
        return view.getBigInt64(this.#take(8), true);
      case 12:
        return view.getFloat64(this.#take(8), true);
      default:
        return this.#fail(`its metadata has a value of type ${type}, expected 0 to 12`);
    }
  }

  #take(length: number): number {
    const start = this.at;
    if (start + length > this.#bytes.length) throw new CutOff();
    this.at += length;
    return start;
  }
}

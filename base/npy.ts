import { UserError } from "./user_error.ts";

/** An array of numpy as single precision. */
export interface NumpyArray {
  /** Last index fastest; empty for a scalar. */
  shape: number[];
  /** Values in that order. */
  data: Float32Array<ArrayBuffer>;
}

/** Rows of numbers. */
export interface NpyMatrix {
  /** Number of rows. */
  rows: number;
  /** Numbers a row. */
  dim: number;
  /** (rows, dim), row after row. */
  data: Float32Array<ArrayBuffer>;
}

/** \x93NUMPY */
const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);
const READERS: Record<string, { bytes: number; read(buffer: ArrayBuffer): Float32Array<ArrayBuffer> }> = {
  "<f2": { bytes: 2, read: (buffer) => new Float32Array(new Float16Array(buffer)) },
  "<f4": { bytes: 4, read: (buffer) => new Float32Array(buffer) },
  "<f8": { bytes: 8, read: (buffer) => new Float32Array(new Float64Array(buffer)) },
  "<i4": { bytes: 4, read: (buffer) => new Float32Array(new Int32Array(buffer)) },
};
/** Bad rows that a message lists before it only counts. */
const LISTED_ROWS = 5;

/**
 * Reads a `.npy` file, versions 1 to 3, of little-endian float16, float32, float64 or int32. Wider numbers are
 * rounded to float32. `source` is the file name for messages.
 * @throws {UserError} if the file is damaged, of another number format, or in Fortran order.
 */
export function readNpy(bytes: Uint8Array, source = "array.npy"): NumpyArray {
  const layout = npyLayout(bytes, source);
  checkNpySize(layout, bytes.length, source);
  return { shape: layout.shape, data: layout.decode(bytes.slice(layout.dataStart).buffer as ArrayBuffer) };
}

/** What the header of a `.npy` file says. */
export interface NpyLayout {
  /** Last index fastest; empty for a scalar. */
  shape: number[];
  /** Bytes before the first value. */
  dataStart: number;
  /** Number format, as numpy calls it, such as <f4. */
  format: string;
  /** Bytes of a value. */
  size: number;
  /** Values of some bytes as single precision. */
  decode(buffer: ArrayBuffer): Float32Array<ArrayBuffer>;
}

/** Reads the header of a `.npy` file, of which `bytes` are the first. Throws as {@link readNpy}. */
export function npyLayout(bytes: Uint8Array, source = "array.npy"): NpyLayout {
  const { header, dataStart } = readHeader(bytes, source);
  const format = /['"]descr['"]\s*:\s*['"]([^'"]+)['"]/.exec(header)?.[1];
  const fortran = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(header)?.[1];
  const dims = /['"]shape['"]\s*:\s*\(([0-9,\s]*)\)/.exec(header)?.[1];
  const reader = format === undefined ? undefined : READERS[format];
  if (reader === undefined) {
    throw new UserError(
      `Cannot read ${source}: its number format is ${format ?? "not a plain number"}, expected one of ` +
        `${Object.keys(READERS).join(", ")}. Save it with numpy.save(path, array.astype("float32"))`,
    );
  }
  if (fortran === undefined || dims === undefined) {
    throw new UserError(
      `Cannot read ${source}: its header ${JSON.stringify(header.trim())} names no ` +
        `${fortran === undefined ? "fortran_order" : "shape"}. Save the file again with numpy.save`,
    );
  }
  const shape = dims.split(",").map((part) => part.trim()).filter((part) => part !== "").map(Number);
  if (fortran === "True" && shape.length > 1) {
    throw new UserError(
      `Cannot read ${source}: it is stored in Fortran order, expected C order (row after row). ` +
        `Save it with numpy.save(path, numpy.ascontiguousarray(array))`,
    );
  }
  return { shape, dataStart, format: format!, size: reader.bytes, decode: reader.read };
}

/** Throws `UserError` for a file of `bytes` bytes that is not as long as its header says. */
export function checkNpySize(
  { shape, dataStart, format, size }: NpyLayout,
  bytes: number,
  source: string,
): void {
  const expected = shape.reduce((product, length) => product * length, size);
  if (bytes - dataStart === expected) return;
  throw new UserError(
    `Cannot read ${source}: shape (${shape.join(", ")}) of ${format} needs ${expected} bytes of data, ` +
      `the file has ${bytes - dataStart}. It is cut off or damaged, save it again`,
  );
}

/**
 * Bytes of a `.npy` file, version 1, little-endian float32 or int32 in C order: what numpy itself writes.
 * @throws {RangeError} if the shape and the number of values disagree.
 */
export function writeNpy(
  shape: readonly number[],
  data: Float32Array | Int32Array,
): Uint8Array<ArrayBuffer> {
  const size = shape.reduce((product, length) => product * length, 1);
  if (size !== data.length) {
    throw new RangeError(
      `Cannot write array (${shape.join(", ")}): it has ${data.length} values, expected ${size}`,
    );
  }
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const format = data instanceof Int32Array ? "<i4" : "<f4";
  const dict = `{'descr': '${format}', 'fortran_order': False, 'shape': (${dims}), }`;
  // numpy ends the header with a newline on a multiple of 64 bytes, so that the data can be mapped.
  const dataStart = Math.ceil((MAGIC.length + 4 + dict.length + 1) / 64) * 64;
  const header = dict.padEnd(dataStart - MAGIC.length - 4 - 1) + "\n";
  const bytes = new Uint8Array(dataStart + data.length * 4);
  bytes.set(MAGIC);
  bytes.set([1, 0, header.length & 255, header.length >> 8], MAGIC.length);
  bytes.set(new TextEncoder().encode(header), MAGIC.length + 4);
  if (data instanceof Int32Array) new Int32Array(bytes.buffer, dataStart).set(data);
  else new Float32Array(bytes.buffer, dataStart).set(data);
  return bytes;
}

/** Rows of a (rows, dim) matrix that hold a NaN or an infinite value, ascending. */
export function nonFiniteRows({ rows, dim, data }: NpyMatrix): number[] {
  const found: number[] = [];
  for (let row = 0; row < rows; row++) {
    if (!data.subarray(row * dim, (row + 1) * dim).every(Number.isFinite)) found.push(row);
  }
  return found;
}

/**
 * Reads a `.npy` file as a matrix of finite numbers, such as item embeddings.
 * @throws {UserError} as {@link readNpy}, and if the array is not (rows, dim), is empty, or holds NaN or infinity.
 */
export function readMatrix(bytes: Uint8Array, source = "array.npy"): NpyMatrix {
  const { shape, data } = readNpy(bytes, source);
  if (shape.length !== 2 || data.length === 0) {
    throw new UserError(
      `Cannot use ${source}: its shape is (${shape.join(", ")}), expected (rows, dim), both at least 1`,
    );
  }
  const matrix = { rows: shape[0], dim: shape[1], data };
  const bad = nonFiniteRows(matrix);
  if (bad.length > 0) {
    const more = bad.length > LISTED_ROWS ? ` and ${bad.length - LISTED_ROWS} more` : "";
    throw new UserError(
      `Cannot use ${source}: NaN or infinity in row ${bad.slice(0, LISTED_ROWS).join(", ")}${more} of ` +
        `${matrix.rows} (rows count from 0), expected finite numbers. Make these embeddings again`,
    );
  }
  return matrix;
}

function readHeader(bytes: Uint8Array, source: string): { header: string; dataStart: number } {
  if (!MAGIC.every((byte, i) => byte === bytes[i])) {
    throw new UserError(
      `Cannot read ${source}: it does not start like a .npy file. Write it with numpy.save, not .npz or text`,
    );
  }
  const version = bytes[6];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lengthBytes = version === 1 ? 2 : 4;
  const headerStart = 8 + lengthBytes;
  if (version >= 1 && version <= 3 && bytes.length >= headerStart) {
    const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
    const dataStart = headerStart + length;
    if (dataStart <= bytes.length) {
      return { header: new TextDecoder().decode(bytes.subarray(headerStart, dataStart)), dataStart };
    }
  }
  throw new UserError(
    `Cannot read ${source}: its header (version ${version}) is cut off or unknown, expected version 1, 2 or 3. ` +
      `Save the file again with numpy.save`,
  );
}

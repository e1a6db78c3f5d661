/**
 * The two kinds of GPU array. A {@link Matrix} is an activation or weight whose storage (texture or buffer, float32 or
 * float16) is the device's choice; a {@link Flat} is a plain storage buffer of float32 or uint32: indices, statistics,
 * parameters, gradients.
 */

/** Where matrices live: rgba32float textures or storage buffers. */
export type Layout = "texture" | "buffer";

/** How a matrix is stored; kernels compute in float32 whatever it is. */
export type MatrixDtype = "f32" | "f16";

/** Matrix (rows, cols). Rows are stored in groups of four columns; the padding lanes of the last group hold 0. */
export interface Matrix {
  /** Tells a {@link Matrix} from a {@link Flat}. */
  readonly kind: "matrix";
  /** Unique among tensors and slices: what bind groups are cached by. */
  readonly id: number;
  /** Number of rows. */
  readonly rows: number;
  /** Number of columns, padding lanes not counted. */
  readonly cols: number;
  /** What the elements are stored as; float16 in buffers only. */
  readonly dtype: MatrixDtype;
  /** Memory of the matrix, by the layout of its device. */
  readonly storage:
    | { readonly layout: "texture"; readonly texture: GPUTexture; readonly view: GPUTextureView }
    | { readonly layout: "buffer"; readonly buffer: GPUBuffer; readonly offset: number };
}

/** Storage buffer slice of `length` elements, `offset` in bytes. */
export interface Flat {
  /** Tells a {@link Flat} from a {@link Matrix}. */
  readonly kind: "flat";
  /** Unique among tensors and slices: what bind groups are cached by. */
  readonly id: number;
  /** What the elements are: floats, or ids and counts. */
  readonly dtype: "f32" | "u32";
  /** Number of elements. */
  readonly length: number;
  /** Buffer that holds the elements; slices share it. */
  readonly buffer: GPUBuffer;
  /** First byte in `buffer`. */
  readonly offset: number;
}

/** Any array on the device. */
export type Tensor = Matrix | Flat;

/** Number of vec4 groups in a row of `cols` columns. */
export function groupsOf(cols: number): number {
  return Math.ceil(cols / 4);
}

/** Bytes of a row of a matrix, padding lanes included. */
export function rowBytes(cols: number, dtype: MatrixDtype): number {
  return groupsOf(cols) * (dtype === "f16" ? 8 : 16);
}

/** `(rows, cols)` for error messages. */
export function shapeOf(tensor: Tensor): string {
  return tensor.kind === "matrix" ? `(${tensor.rows}, ${tensor.cols})` : `(${tensor.length})`;
}

/** Throws unless `tensor` is (rows, cols). `what` names the operand, e.g. "rmsNorm() gain". */
export function expectShape(what: string, tensor: Matrix, rows: number, cols: number): void {
  if (tensor.rows !== rows || tensor.cols !== cols) {
    throw new RangeError(`${what} has shape ${shapeOf(tensor)}: expected (${rows}, ${cols})`);
  }
}

/** Throws unless `flat` holds at least `length` elements of `dtype`. */
export function expectLength(what: string, flat: Flat, dtype: Flat["dtype"], length: number): void {
  if (flat.dtype !== dtype || flat.length < length) {
    throw new RangeError(
      `${what} has ${flat.length} elements of ${flat.dtype}: expected at least ${length} of ${dtype}`,
    );
  }
}

let nextId = 1;
/** A number no other tensor of this process has: the key of bind-group caches. */
export function freshId(): number {
  return nextId++;
}

/** Whether so many numbers are (rows, cols), or that as {@link padRows} gives it. */
export function isRows({ length }: Float32Array | Uint32Array, rows: number, cols: number): boolean {
  return length === rows * cols || length === rows * groupsOf(cols) * 4;
}

/** Row-major (rows, cols) with each row filled up with 0 to whole groups of four; what is so already is not copied. */
export function padRows(data: Float32Array, rows: number, cols: number): Float32Array {
  const stride = groupsOf(cols) * 4;
  if (data.length === rows * stride) return data;
  const padded = new Float32Array(rows * stride);
  for (let row = 0; row < rows; row++) padded.set(data.subarray(row * cols, (row + 1) * cols), row * stride);
  return padded;
}

/** The reverse of `padRows`, from rows of `stride` elements. */
export function unpadRows(
  raw: Float32Array,
  { rows, cols }: Pick<Matrix, "rows" | "cols">,
  stride: number,
): Float32Array {
  if (stride === cols) return raw;
  const data = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) data.set(raw.subarray(row * stride, row * stride + cols), row * cols);
  return data;
}

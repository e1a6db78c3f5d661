import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type Flat, groupsOf, type Matrix, shapeOf } from "../gpu/tensor.ts";
import code from "./sparse.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/matmul/sparse.wgsl",
  code,
  entry: "sparse_matmul",
  inputs: 1,
  outputs: 1,
  flats: ["read", "read", "read"],
  workgroup: [8],
};

/**
 * Entries that one invocation sums. A longer row is cut into pieces that are summed in a second pass: a term that every
 * document has would else keep a GPU waiting for one row, and lose digits in one long float32 sum.
 */
export const PIECE = 512;

/** Matrix (M, N) in compressed sparse rows: entries offsets[m] to offsets[m + 1] - 1 are those of row m. */
export interface SparseRows {
  /** M. */
  readonly rows: number;
  /** N. */
  readonly cols: number;
  /** (M + 1), from 0 to the number of entries Z. */
  readonly offsets: Uint32Array<ArrayBuffer>;
  /** (Z), each below N. */
  readonly columns: Uint32Array<ArrayBuffer>;
  /** (Z). */
  readonly values: Float32Array<ArrayBuffer>;
}

/** {@link SparseRows} on the device: passes one after the other, two where rows are long. */
export interface SparseMatrix {
  /** M. */
  readonly rows: number;
  /** N. */
  readonly cols: number;
  /** Each as the blocks of rows that a binding can hold. */
  readonly passes: readonly { rows: number; blocks: readonly RowBlock[] }[];
}

interface RowBlock {
  first: number;
  rows: number;
  /** (rows + 1), from 0. */
  offsets: Flat;
  columns: Flat;
  values: Flat;
}

/**
 * Copies a sparse matrix to the device, in blocks of at most `most` entries; {@link destroySparse} gives the memory
 * back.
 */
export function uploadSparse(
  device: Device,
  matrix: SparseRows,
  most = Math.floor(device.limits.maxStorageBufferBindingSize / 4),
): SparseMatrix {
  const passes: SparseMatrix["passes"][number][] = [];
  for (let rest: SparseRows | undefined = matrix; rest;) {
    const { pieces, sums }: Pieces = cutLongRows(rest);
    const blocks = rowBlocks(pieces, most).map(({ first, rows, offsets, columns, values }) => ({
      first,
      rows,
      offsets: device.createFlat("u32", offsets),
      columns: device.createFlat("u32", columns),
      values: device.createFlat("f32", values),
    }));
    passes.push({ rows: pieces.rows, blocks });
    rest = sums;
  }
  return { rows: matrix.rows, cols: matrix.cols, passes };
}

/** Rows one after the other in as many blocks as it takes to have at most `most` entries or offsets in each. */
export function rowBlocks({ rows, cols, offsets, columns, values }: SparseRows, most: number) {
  const blocks: (SparseRows & { first: number })[] = [];
  for (let first = 0; first < rows;) {
    let end = first + 1;
    while (end < rows && end - first + 2 <= most && offsets[end + 1] - offsets[first] <= most) end++;
    const [from, to] = [offsets[first], offsets[end]];
    blocks.push({
      first,
      rows: end - first,
      cols,
      offsets: offsets.slice(first, end + 1).map((offset) => offset - from),
      columns: columns.subarray(from, to),
      values: values.subarray(from, to),
    });
    first = end;
  }
  return blocks;
}

/** Gives the memory of {@link uploadSparse} back. */
export function destroySparse(device: Device, { passes }: SparseMatrix): void {
  for (const { offsets, columns, values } of passes.flatMap(({ blocks }) => blocks)) {
    for (const flat of [offsets, columns, values]) device.destroy(flat);
  }
}

/** A^T of A (M, N) -> (N, M), entries of a row in ascending order of column. */
export function transposeSparse({ rows, cols, offsets, columns, values }: SparseRows): SparseRows {
  const starts = new Uint32Array(cols + 1);
  for (const column of columns) starts[column + 1]++;
  for (let column = 0; column < cols; column++) starts[column + 1] += starts[column];
  const next = starts.slice();
  const turned = { columns: new Uint32Array(columns.length), values: new Float32Array(values.length) };
  for (let row = 0; row < rows; row++) {
    for (let i = offsets[row]; i < offsets[row + 1]; i++) {
      const to = next[columns[i]]++;
      turned.columns[to] = row;
      turned.values[to] = values[i];
    }
  }
  return { rows: cols, cols: rows, offsets: starts, ...turned };
}

/** A (M, N), b (N, K) -> A b (M, K). Gradient of b: the same with A^T. */
export function sparseMatmul(device: Device, a: SparseMatrix, b: Matrix): Matrix {
  if (a.cols !== b.rows) {
    throw new RangeError(
      `sparseMatmul() of (${a.rows}, ${a.cols}) and ${shapeOf(b)}: expected a.cols = b.rows`,
    );
  }
  let product = b;
  for (const pass of a.passes) {
    const next = device.matrix(pass.rows, b.cols);
    for (const { first, rows, offsets, columns, values } of pass.blocks) {
      device.run(kernel, {
        inputs: [product],
        outputs: [next],
        flats: [offsets, columns, values],
        u32: [first, rows, groupsOf(b.cols)],
        invocations: [rows * groupsOf(b.cols)],
      });
    }
    if (product !== b) device.release(product);
    product = next;
  }
  return product;
}

interface Pieces {
  /** The same entries in rows of at most PIECE. */
  pieces: SparseRows;
  /** Which pieces add up to which row; undefined where no row was cut. */
  sums?: SparseRows;
}

function cutLongRows(matrix: SparseRows): Pieces {
  const starts: number[] = [];
  const firstPiece = new Uint32Array(matrix.rows + 1);
  for (let row = 0; row < matrix.rows; row++) {
    for (let at = matrix.offsets[row]; at < matrix.offsets[row + 1]; at += PIECE) starts.push(at);
    firstPiece[row + 1] = starts.length;
  }
  if (firstPiece.every((first, row) => row === 0 || first - firstPiece[row - 1] <= 1)) {
    return { pieces: matrix };
  }
  const rows = starts.length;
  starts.push(matrix.columns.length);
  return {
    pieces: { ...matrix, rows, offsets: Uint32Array.from(starts) },
    sums: {
      rows: matrix.rows,
      cols: rows,
      offsets: firstPiece,
      columns: Uint32Array.from({ length: rows }, (_, piece) => piece),
      values: new Float32Array(rows).fill(1),
    },
  };
}

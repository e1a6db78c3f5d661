import { PhiloxStream } from "../../base/philox.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { DeviceError } from "../../kernels/gpu/device_error.ts";
import { matmul, matmulAt } from "../../kernels/matmul/matmul.ts";
import {
  destroySparse,
  sparseMatmul,
  type SparseMatrix,
  type SparseRows,
  transposeSparse,
  uploadSparse,
} from "../../kernels/matmul/sparse.ts";
import { groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";
import { symmetricEigen } from "./symmetric_eigen.ts";

/** Numbers that are written at a time: the device keeps a copy of what waits to be written. */
const MOST_WRITTEN = 2 ** 20;

/** How far and how closely a matrix is decomposed. */
export interface TruncatedSvdOptions {
  /** Singular values wanted, k: at most the shorter side. */
  rank: number;
  /** Seed of the random start. */
  seed: number;
  /** Directions followed beyond `rank`; more of them find the last ones better. Default: 16. */
  oversample?: number;
  /** Power iterations: for spectra that fall slowly, as those of text do. Default: 3. */
  iterations?: number;
}

/** A (M, N) ~ U S V^T, of which V = A^T U S^-1 is not kept: of texts it has a row a term. */
export interface TruncatedSvd {
  /** (M, k): orthonormal columns; zero columns where A has a lower rank. */
  u: Float32Array<ArrayBuffer>;
  /** (k), largest first. */
  singularValues: Float64Array;
}

/**
 * The k largest singular values of a sparse matrix and their left vectors, by subspace iteration from a random start.
 * Source: Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1. Orthonormal bases come from Cholesky QR, for the
 * last one twice (Yamamoto et al. 2015): the device makes the Gram matrix, the host factors it in float64. The same
 * matrix, options and adapter give the same bytes. `onProgress` gets products with A done, of all.
 */
export function truncatedSvd(
  device: Device,
  a: SparseRows,
  { rank, seed, oversample = 16, iterations = 3 }: TruncatedSvdOptions,
  onProgress?: (done: number, total: number) => void,
): Promise<TruncatedSvd> {
  const shorter = Math.min(a.rows, a.cols);
  if (rank < 1 || rank > shorter) {
    throw new RangeError(
      `truncatedSvd() of (${a.rows}, ${a.cols}) to rank ${rank}: expected 1 to ${shorter}`,
    );
  }
  const width = Math.min(rank + oversample, shorter);
  checkSize(device, a, width);
  const forward = uploadSparse(device, a);
  const back = uploadSparse(device, transposeSparse(a));
  const total = 2 * iterations + 2;
  let done = 0;
  const times = async (matrix: SparseMatrix, x: Matrix) => {
    const y = await orthonormal(device, sparseMatmul(device, matrix, x));
    device.release(x);
    onProgress?.(++done, total);
    return y;
  };
  return device.scope(async () => {
    let q = await times(forward, await randomSigns(device, a.cols, width, seed));
    for (let i = 0; i < iterations; i++) q = await times(forward, await times(back, q));
    q = await orthonormal(device, q);
    // A ~ Q Q^T A = Q B^T with B = A^T Q (N, l): the eigenvectors W of B^T B turn Q into U.
    const { values, vectors } = symmetricEigen(await gram(device, sparseMatmul(device, back, q)), width);
    const singularValues = values.subarray(0, rank).map((value) => Math.sqrt(Math.max(value, 0)));
    const smallest = singularValues[0] * 1e-6;
    const turn = smallMatrix(
      device,
      width,
      rank,
      (row, column) => singularValues[column] <= smallest ? 0 : vectors[row * width + column],
    );
    const [u] = await device.read(matmul(device, q, turn));
    onProgress?.(total, total);
    return { u: u.slice(), singularValues };
  }).finally(() => {
    destroySparse(device, forward);
    destroySparse(device, back);
    device.trim();
  });
}

/** Throws {@link DeviceError} where a basis of a matrix's rows or columns is more than a shader may bind. */
function checkSize({ limits }: Device, { rows, cols }: SparseRows, width: number): void {
  const rowBytes = groupsOf(width) * 16;
  const most = Math.floor(limits.maxStorageBufferBindingSize / rowBytes);
  if (Math.max(rows, cols) <= most) return;
  throw new DeviceError(
    `Cannot decompose a matrix (${rows}, ${cols}) with ${width} directions: this adapter binds ` +
      `${limits.maxStorageBufferBindingSize} bytes, which is ${most} rows or columns. Use fewer dimensions, or a GPU`,
  );
}

/** Random signs (N, l): as good a start as normal numbers (Martinsson and Tropp 2020, section 9), at 32 a draw. */
async function randomSigns(device: Device, rows: number, cols: number, seed: number): Promise<Matrix> {
  const random = new PhiloxStream(seed, "truncated SVD");
  const matrix = device.matrix(rows, cols);
  const most = Math.ceil(MOST_WRITTEN / cols);
  let drawn = 0, bits = 0;
  for (let row = 0; row < rows; row += most) {
    const signs = new Float32Array(Math.min(most, rows - row) * cols);
    for (let i = 0; i < signs.length; i++) {
      if (drawn++ % 32 === 0) bits = random.uint32();
      signs[i] = (bits >>> (drawn - 1) % 32) & 1 ? 1 : -1;
    }
    device.write(matrix, signs, row);
    await device.settle();
  }
  return matrix;
}

/**
 * y (N, l), which is released -> columns that span the same space, of length 1 and at right angles, or 0; up to what
 * float32 keeps of y^T y, so the better, the nearer y was to it.
 */
async function orthonormal(device: Device, y: Matrix): Promise<Matrix> {
  const l = y.cols;
  const inverse = inverseCholesky(await gram(device, y), l);
  const q = matmul(device, y, smallMatrix(device, l, l, (row, col) => inverse[row * l + col]));
  device.release(y);
  return q;
}

/** y (N, l) -> y^T y (l, l). */
async function gram(device: Device, y: Matrix): Promise<Float64Array> {
  const l = y.cols;
  const stride = groupsOf(l) * 4;
  const flat = device.createFlat("f32", l * stride);
  matmulAt(device, y, y, flat, false);
  const [values] = await device.read(flat);
  device.destroy(flat);
  return Float64Array.from({ length: l * l }, (_, i) => values[Math.floor(i / l) * stride + i % l]);
}

function smallMatrix(
  device: Device,
  rows: number,
  cols: number,
  value: (row: number, col: number) => number,
) {
  const matrix = device.matrix(rows, cols);
  device.write(
    matrix,
    Float32Array.from({ length: rows * cols }, (_, i) => value(Math.floor(i / cols), i % cols)),
  );
  return matrix;
}

/**
 * R^-1 (l, l) of the Gram matrix G = R^T R, so that Y R^-1 has orthonormal columns. A column that the ones before it
 * already span, up to what float32 can tell, gets zeros, and so Y R^-1 a column of zeros.
 */
function inverseCholesky(g: Float64Array, l: number): Float64Array {
  const r = new Float64Array(l * l);
  for (let j = 0; j < l; j++) {
    let pivot = g[j * l + j];
    for (let k = 0; k < j; k++) pivot -= r[k * l + j] ** 2;
    if (pivot <= l * 1e-7 * g[j * l + j]) continue;
    r[j * l + j] = Math.sqrt(pivot);
    for (let i = j + 1; i < l; i++) {
      let sum = g[j * l + i];
      for (let k = 0; k < j; k++) sum -= r[k * l + j] * r[k * l + i];
      r[j * l + i] = sum / r[j * l + j];
    }
  }
  const inverse = new Float64Array(l * l);
  for (let column = 0; column < l; column++) {
    if (r[column * l + column] === 0) continue;
    for (let row = column; row >= 0; row--) {
      if (r[row * l + row] === 0) continue;
      let sum = row === column ? 1 : 0;
      for (let k = row + 1; k <= column; k++) sum -= r[row * l + k] * inverse[k * l + column];
      inverse[row * l + column] = sum / r[row * l + row];
    }
  }
  return inverse;
}

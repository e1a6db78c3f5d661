import { PhiloxStream } from "../../base/philox.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { matmul, matmulAt } from "../../kernels/matmul/matmul.ts";
import { groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";
import { symmetricEigen } from "../../embed/text/symmetric_eigen.ts";
import type { Embeddings } from "../embeddings.ts";
import { blockRows } from "./point_blocks.ts";

/** Directions in which vectors differ most. */
export interface PrincipalAxes {
  /** (D), what the vectors have in common. */
  mean: Float64Array;
  /** (D, R): orthonormal columns, the one of most variance first; zero columns where the vectors differ in fewer. */
  axes: Float32Array;
  /** R. */
  rank: number;
  /** (R), of the vectors along the axes, largest first. */
  variances: Float64Array;
}

const ROUNDS = 4;

/**
 * The `rank` leading principal axes of vectors (N, D), of at most 16384 of them taken at even steps, by subspace
 * iteration and a Rayleigh-Ritz step (Golub and Van Loan, Matrix Computations, section 8.2.4).
 */
export async function principalAxes(
  device: Device,
  { data, rows, dim }: Embeddings,
  rank: number,
  seed: number,
): Promise<PrincipalAxes> {
  const count = Math.min(rows, blockRows(device, dim));
  const mean = new Float64Array(dim);
  const sample = new Float32Array(count * dim);
  for (let i = 0; i < count; i++) {
    const from = Math.floor(i * rows / count) * dim;
    for (let d = 0; d < dim; d++) mean[d] += (sample[i * dim + d] = data[from + d]) / count;
  }
  for (let i = 0; i < sample.length; i++) sample[i] -= mean[i % dim];
  const points = device.upload(sample, count, dim);
  try {
    const random = new PhiloxStream(seed, "principal axes");
    let axes = Float64Array.from({ length: dim * rank }, () => random.normal());
    orthonormalize(axes, dim, rank);
    for (let round = 0; round < ROUNDS; round++) {
      axes = await device.scope(() => gramProduct(device, points, times(device, points, axes, rank)));
      orthonormalize(axes, dim, rank);
    }
    const gram = await device.scope(() => {
      const projected = times(device, points, axes, rank);
      return gramProduct(device, projected, projected);
    });
    const { values, vectors } = symmetricEigen(gram, rank);
    const turned = new Float32Array(dim * rank);
    for (let d = 0; d < dim; d++) {
      for (let r = 0; r < rank; r++) {
        let sum = 0;
        for (let s = 0; s < rank; s++) sum += axes[d * rank + s] * vectors[s * rank + r];
        turned[d * rank + r] = sum;
      }
    }
    return { mean, axes: turned, rank, variances: values.map((value) => value / count) };
  } finally {
    device.destroy(points);
  }
}

/** Coordinates (N, R) of vectors (N, D) on axes (D, R), the mean taken off first. */
export async function project(
  device: Device,
  { data, rows, dim }: Embeddings,
  { mean, axes, rank }: Pick<PrincipalAxes, "mean" | "axes" | "rank">,
): Promise<Float32Array<ArrayBuffer>> {
  const projected = new Float32Array(rows * rank);
  const most = blockRows(device, Math.max(dim, rank));
  for (let first = 0; first < rows; first += most) {
    const count = Math.min(most, rows - first);
    const centred = data.slice(first * dim, (first + count) * dim);
    for (let i = 0; i < centred.length; i++) centred[i] -= mean[i % dim];
    await device.scope(async () => {
      const points = device.matrix(count, dim);
      device.write(points, centred);
      const [values] = await device.read(times(device, points, axes, rank));
      projected.set(values, first * rank);
    });
  }
  return projected;
}

/** points (N, D), axes (D, R) -> (N, R), a matrix of the open scope. */
function times(device: Device, points: Matrix, axes: ArrayLike<number>, rank: number): Matrix {
  const right = device.matrix(points.cols, rank);
  device.write(right, Float32Array.from(axes));
  return matmul(device, points, right);
}

/** a (N, M), b (N, R) -> a^T b (M, R). */
export async function gramProduct(device: Device, a: Matrix, b: Matrix): Promise<Float64Array<ArrayBuffer>> {
  const stride = groupsOf(b.cols) * 4;
  const product = device.createFlat("f32", a.cols * stride);
  try {
    matmulAt(device, a, b, product, false);
    const [values] = await device.read(product);
    return Float64Array.from(
      { length: a.cols * b.cols },
      (_, i) => values[Math.floor(i / b.cols) * stride + i % b.cols],
    );
  } finally {
    device.destroy(product);
  }
}

/**
 * Makes the columns of a (D, R) orthonormal in place, by Gram-Schmidt twice over (Giraud, Langou and Rozložník 2005); a
 * column that those before it span becomes zero.
 */
export function orthonormalize(a: Float64Array, dim: number, rank: number): void {
  const norm = (column: number) => {
    let squares = 0;
    for (let d = 0; d < dim; d++) squares += a[d * rank + column] ** 2;
    return Math.sqrt(squares);
  };
  for (let column = 0; column < rank; column++) {
    const before = norm(column);
    for (let pass = 0; pass < 2; pass++) {
      for (let other = 0; other < column; other++) {
        let dot = 0;
        for (let d = 0; d < dim; d++) dot += a[d * rank + column] * a[d * rank + other];
        for (let d = 0; d < dim; d++) a[d * rank + column] -= dot * a[d * rank + other];
      }
    }
    const after = norm(column);
    const scale = after > 1e-6 * before ? 1 / after : 0;
    for (let d = 0; d < dim; d++) a[d * rank + column] *= scale;
  }
}

import type { Embeddings } from "../embeddings.ts";

/** x (D) -> x W (D'). */
export interface LinearMap {
  /** W, (D, D') row after row. */
  weights: Float64Array;
  /** D'. */
  dim: number;
  /** Share of the squares of the target rows that the map explains, up to 1. */
  explained: number;
}

/** Keeps directions that no row uses from blowing up, as a share of the mean square of the rows. */
const RIDGE = 1e-6;

/**
 * The map that takes rows of `from` (N, D) closest to those of `to` (N, D'), by least squares: solves
 * (X^T X + r I) W = X^T Y by Cholesky's method, in float64.
 */
export function fitLinearMap(from: Embeddings, to: Embeddings): LinearMap {
  const gram = product(from, from);
  const weights = product(from, to);
  const trace = Array.from({ length: from.dim }, (_, d) => gram[d * from.dim + d]).reduce((a, b) => a + b, 0);
  for (let d = 0; d < from.dim; d++) gram[d * from.dim + d] += RIDGE * trace / from.dim + Number.MIN_VALUE;
  solve(gram, weights, from.dim, to.dim);
  const map = { weights, dim: to.dim, explained: 0 };
  const mapped = applyLinearMap(map, from);
  let squares = 0;
  let missed = 0;
  for (let i = 0; i < to.data.length; i++) {
    squares += to.data[i] ** 2;
    missed += (to.data[i] - mapped.data[i]) ** 2;
  }
  return { ...map, explained: squares === 0 ? 1 : 1 - missed / squares };
}

/** Rows (N, D) mapped to (N, D'). */
export function applyLinearMap(
  { weights, dim }: Pick<LinearMap, "weights" | "dim">,
  { data, rows, dim: width }: Embeddings,
): Embeddings {
  const mapped = new Float32Array(rows * dim);
  const sum = new Float64Array(dim);
  for (let row = 0; row < rows; row++) {
    sum.fill(0);
    for (let d = 0; d < width; d++) {
      const value = data[row * width + d];
      for (let e = 0; e < dim; e++) sum[e] += value * weights[d * dim + e];
    }
    mapped.set(sum, row * dim);
  }
  return { data: mapped, rows, dim };
}

/** a (N, D), b (N, D') -> a^T b (D, D'). */
function product(a: Embeddings, b: Embeddings): Float64Array {
  const result = new Float64Array(a.dim * b.dim);
  for (let row = 0; row < a.rows; row++) {
    for (let d = 0; d < a.dim; d++) {
      const value = a.data[row * a.dim + d];
      if (value === 0) continue;
      for (let e = 0; e < b.dim; e++) result[d * b.dim + e] += value * b.data[row * b.dim + e];
    }
  }
  return result;
}

/** Solves g x = b in place of b; g (D, D) positive definite becomes its Cholesky factor, b is (D, D'). */
function solve(g: Float64Array, b: Float64Array, size: number, columns: number): void {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = g[i * size + j];
      for (let k = 0; k < j; k++) sum -= g[i * size + k] * g[j * size + k];
      g[i * size + j] = i === j ? Math.sqrt(sum) : sum / g[j * size + j];
    }
  }
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) subtractRow(b, i, k, g[i * size + k], columns);
    for (let c = 0; c < columns; c++) b[i * columns + c] /= g[i * size + i];
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) subtractRow(b, i, k, g[k * size + i], columns);
    for (let c = 0; c < columns; c++) b[i * columns + c] /= g[i * size + i];
  }
}

function subtractRow(b: Float64Array, row: number, other: number, factor: number, columns: number): void {
  for (let c = 0; c < columns; c++) b[row * columns + c] -= factor * b[other * columns + c];
}

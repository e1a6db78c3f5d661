/** Eigenvalues and eigenvectors of a symmetric matrix. */
export interface SymmetricEigen {
  /** (N), largest first. */
  values: Float64Array;
  /** (N, N), row after row: column j belongs to values[j] and has length 1. */
  vectors: Float64Array;
}

const MOST_SWEEPS = 30;

/**
 * Eigendecomposition of a symmetric (N, N) matrix by cyclic Jacobi rotations, float64: slow for large N, accurate to
 * the last digits for all. Source: Golub and Van Loan, Matrix Computations, 4th edition, section 8.5.
 */
export function symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen {
  const a = matrix.slice();
  const v = new Float64Array(n * n); // rows are eigenvectors while it works: rotations then read memory in order
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const total = a.reduce((sum, value) => sum + value * value, 0);
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p * n + q] ** 2;
    if (off <= 1e-30 * total) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j] - a[i * n + i]);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    for (let i = 0; i < n; i++) vectors[i * n + to] = v[from * n + i];
  });
  return { values: Float64Array.from(order, (i) => a[i * n + i]), vectors };
}

/** Makes a[p, q] zero: A <- J^T A J, and V^T <- J^T V^T. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q];
  if (apq === 0) return;
  const tau = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const s = t * c;
  for (let i = 0; i < n; i++) {
    const aip = a[i * n + p], aiq = a[i * n + q];
    a[i * n + p] = c * aip - s * aiq;
    a[i * n + q] = s * aip + c * aiq;
  }
  for (let i = 0; i < n; i++) {
    const api = a[p * n + i], aqi = a[q * n + i];
    a[p * n + i] = c * api - s * aqi;
    a[q * n + i] = s * api + c * aqi;
    const vpi = v[p * n + i], vqi = v[q * n + i];
    v[p * n + i] = c * vpi - s * vqi;
    v[q * n + i] = s * vpi + c * vqi;
  }
}

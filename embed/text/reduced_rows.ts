import type { TruncatedSvd } from "./truncated_svd.ts";

/** A row whose part in the strongest directions is this small beside that of others is rounding, not meaning. */
const ROUNDING = 1e-4;

/**
 * Rows U S^p of a decomposition as vectors (N, D) of length 1. Rows that are not in these directions, such as those of
 * a small group that shares nothing with the rest, are 0.
 */
export function reducedRows(
  { u, singularValues }: TruncatedSvd,
  singularPower: number,
): Float32Array<ArrayBuffer> {
  const dim = singularValues.length;
  const data = new Float32Array(u.length);
  const weights = singularValues.map((value) => value > 0 ? value ** singularPower : 0);
  // Length of an average row: the columns of U have length 1.
  const typical = Math.sqrt(weights.reduce((sum, weight) => sum + weight * weight, 0) / (u.length / dim));
  for (let at = 0; at < u.length; at += dim) {
    let squares = 0;
    for (let i = 0; i < dim; i++) squares += (u[at + i] * weights[i]) ** 2;
    const length = Math.sqrt(squares);
    if (length <= ROUNDING * typical) continue;
    for (let i = 0; i < dim; i++) data[at + i] = u[at + i] * weights[i] / length;
  }
  return data;
}

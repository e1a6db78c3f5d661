/** Scales every row of data (N, D) that is not 0 to length 1, in place. */
export function scaleToUnitRows(data: Float32Array<ArrayBuffer>, dim: number): Float32Array<ArrayBuffer> {
  for (let at = 0; at < data.length; at += dim) {
    const row = data.subarray(at, at + dim);
    const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    if (norm > 0) row.forEach((value, i) => row[i] = value / norm);
  }
  return data;
}

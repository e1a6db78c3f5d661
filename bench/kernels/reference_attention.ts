import { attentionInputs, type AttentionWorkload } from "./workload.ts";

/** Causal attention and its gradients in float64 loops: packed (T, heads * headDim) each. */
export function referenceAttention(workload: AttentionWorkload) {
  const inputs = attentionInputs(workload);
  return attentionGradients(workload, inputs);
}

/** As {@link referenceAttention}, of given q, k, v and dO. */
export function attentionGradients(
  { lengths, heads, headDim }: Pick<AttentionWorkload, "lengths" | "heads" | "headDim">,
  { q, k, v, dO }: Record<"q" | "k" | "v" | "dO", ArrayLike<number>>,
): Record<"o" | "dq" | "dk" | "dv", Float64Array> {
  const width = heads * headDim;
  const [o, dq, dk, dv] = Array.from({ length: 4 }, () => new Float64Array(q.length));
  const scale = 1 / Math.sqrt(headDim);
  const dot = (a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number) => {
    let sum = 0;
    for (let c = 0; c < headDim; c++) sum += a[i + c] * b[j + c];
    return sum;
  };
  let start = 0;
  for (const length of lengths) {
    for (let row = start; row < start + length; row++) {
      for (let head = 0; head < heads; head++) {
        const i = row * width + head * headDim;
        const keys = Array.from({ length: row - start + 1 }, (_, n) => (start + n) * width + head * headDim);
        const scores = keys.map((j) => dot(q, i, k, j) * scale);
        const top = Math.max(...scores);
        const sum = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
        const p = scores.map((s) => Math.exp(s - top) / sum);
        keys.forEach((j, n) => {
          for (let c = 0; c < headDim; c++) o[i + c] += p[n] * v[j + c];
        });
        const mean = dot(o, i, dO, i);
        keys.forEach((j, n) => {
          const dScore = p[n] * (dot(dO, i, v, j) - mean) * scale;
          for (let c = 0; c < headDim; c++) {
            dv[j + c] += p[n] * dO[i + c];
            dq[i + c] += dScore * k[j + c];
            dk[j + c] += dScore * q[i + c];
          }
        });
      }
    }
    start += length;
  }
  return { o, dq, dk, dv };
}

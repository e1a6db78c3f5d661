import type { Tfjs, TfjsTensor } from "./tfjs_types.ts";

/** (1, 1, L, L): 0 where a key may be seen, else so low that its weight is 0. */
export function causalMask(tf: Tfjs, length: number): TfjsTensor {
  const mask = Float32Array.from(
    { length: length * length },
    (_, i) => i % length > Math.floor(i / length) ? -1e9 : 0,
  );
  return tf.tensor(mask, [1, 1, length, length]);
}

/** q, k, v (B, L, heads, headDim) -> (B, L, heads, headDim). */
export function causalAttention(
  tf: Tfjs,
  q: TfjsTensor,
  k: TfjsTensor,
  v: TfjsTensor,
  mask: TfjsTensor,
): TfjsTensor {
  const byHead = (x: TfjsTensor) => tf.transpose(x, [0, 2, 1, 3]);
  const scores = tf.matMul(byHead(q), byHead(k), false, true).mul(1 / Math.sqrt(q.shape[3])).add(mask);
  return tf.transpose(tf.matMul(tf.softmax(scores), byHead(v)), [0, 2, 1, 3]);
}

/** How distances are put into buckets; see {@link relativeBucket}. */
export interface RelativeBuckets {
  /** All buckets. */
  buckets: number;
  /** Distance from which on all share the last bucket. */
  farthest: number;
  /** Whether keys after the query have the second half of the buckets (an encoder), or bucket 0 (a decoder). */
  bidirectional: boolean;
}

/**
 * Bucket of a relative position, the key's less the query's, as T5 computes it (Raffel et al. 2020, arXiv:1910.10683,
 * section 2.1, and its released code): one each for the nearest, then wider ones by the logarithm up to `farthest`.
 */
export function relativeBucket(
  distance: number,
  { buckets, farthest, bidirectional }: RelativeBuckets,
): number {
  const count = bidirectional ? buckets / 2 : buckets;
  const offset = bidirectional && distance > 0 ? count : 0;
  const far = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = count / 2;
  if (far < exact) return offset + far;
  // In float32 as the original: a bucket begins where its rounded logarithm does.
  const { fround } = Math;
  const share = fround(fround(Math.log(fround(far / exact))) / fround(Math.log(farthest / exact)));
  return offset + Math.min(count - 1, exact + Math.floor(fround(share * (count - exact))));
}

/** Buckets of the distances from -farthest to farthest, as `relativeAttention()` wants them. */
export function bucketsByDistance(settings: RelativeBuckets): Uint32Array<ArrayBuffer> {
  const { farthest } = settings;
  return Uint32Array.from({ length: 2 * farthest + 1 }, (_, i) => relativeBucket(i - farthest, settings));
}

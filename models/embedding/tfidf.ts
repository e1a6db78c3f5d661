import { hashText } from "../../data/philox.ts";
import { wordsOf } from "../../data/words.ts";
import type { SparseRows } from "../../kernels/sparse_matmul.ts";

/** How texts become weighted terms. */
export interface TfidfOptions {
  /** Terms are hashed to 2^hashBits buckets: what bounds the memory, at the price of a few shared buckets. */
  hashBits: number;
  /** Seed of the hash. */
  seed: number;
}

/** Terms of fewer documents say nothing about how documents relate. */
const LEAST_DOCUMENTS = 2;

/**
 * texts (N) -> (N, F): each row the words and pairs of neighbouring words of a text, weighted
 * (1 + ln count) (1 + ln((1 + N) / (1 + documents of the term))) and scaled to length 1. F counts the buckets that
 * two texts share at least; a text without such terms has an empty row.
 */
export function tfidf(texts: readonly string[], { hashBits, seed }: TfidfOptions): SparseRows {
  const buckets = 2 ** hashBits;
  const documents = new Uint32Array(buckets);
  const counted = texts.map((text) => {
    const counts = new Map<number, number>();
    for (const term of termsOf(text)) {
      const bucket = bucketOf(term, seed) % buckets;
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
    for (const bucket of counts.keys()) documents[bucket]++;
    return counts;
  });

  const columnOf = new Int32Array(buckets).fill(-1);
  let cols = 0;
  for (let bucket = 0; bucket < buckets; bucket++) {
    if (documents[bucket] >= LEAST_DOCUMENTS) columnOf[bucket] = cols++;
  }
  const offsets = new Uint32Array(texts.length + 1);
  const columns: number[] = [];
  const values: number[] = [];
  for (const [row, counts] of counted.entries()) {
    const kept = [...counts].filter(([bucket]) => columnOf[bucket] >= 0).sort(([a], [b]) => a - b);
    const weights = kept.map(([bucket, count]) =>
      (1 + Math.log(count)) * (1 + Math.log((1 + texts.length) / (1 + documents[bucket])))
    );
    const norm = Math.sqrt(weights.reduce((sum, weight) => sum + weight * weight, 0));
    for (const [i, [bucket]] of kept.entries()) {
      columns.push(columnOf[bucket]);
      values.push(weights[i] / norm);
    }
    offsets[row + 1] = columns.length;
  }
  return {
    rows: texts.length,
    cols,
    offsets,
    columns: Uint32Array.from(columns),
    values: Float32Array.from(values),
  };
}

function* termsOf(text: string): Generator<string> {
  let before: string | undefined;
  for (const word of wordsOf(text)) {
    yield word;
    if (before !== undefined) yield `${before} ${word}`;
    before = word;
  }
}

/** FNV-1a alone would leave its low bits nearly linear in the last letters. Source of the mixer: MurmurHash3, fmix32. */
function bucketOf(term: string, seed: number): number {
  let hash = hashText(term) ^ seed;
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}

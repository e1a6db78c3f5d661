import { hashText } from "../../base/philox.ts";
import { placeWeight, wordsOf } from "../../base/words.ts";
import type { SparseRows } from "../../kernels/matmul/sparse.ts";
import { RowBuilder } from "./row_builder.ts";

/** How texts become weighted terms. */
export interface TfidfOptions {
  /** Terms are hashed to 2^hashBits buckets: what bounds the memory, at the price of a few shared buckets. */
  hashBits: number;
  /** Length of the runs of letters that are terms beside the words, 0 for words alone. */
  letters: number;
  /** Seed of the hash. */
  seed: number;
}

/** Terms of fewer texts say nothing about how texts relate. */
const LEAST_TEXTS = 2;

/**
 * texts (N) -> (N, F): each row the words of a text and their runs of letters, weighted
 * ln(1 + f) (1 + ln((1 + N) / (1 + texts with the term))) and scaled to length 1, f being the sum over the term's
 * occurrences of their {@link placeWeight}. F counts the buckets that two texts share at least; a text without such terms
 * has an empty row.
 */
export function tfidf(texts: readonly string[], { hashBits, letters, seed }: TfidfOptions): SparseRows {
  const buckets = 2 ** hashBits;
  const textsWith = new Uint32Array(buckets);
  const counting = new RowBuilder();
  for (const text of texts) {
    const counts = countTerms(text, letters, (term) => mixedHash(term, seed) % buckets);
    for (const bucket of [...counts.keys()].sort((a, b) => a - b)) {
      counting.add(bucket, counts.get(bucket)!);
      textsWith[bucket]++;
    }
    counting.endRow();
  }
  const counted = counting.build(buckets);

  const columnOf = new Int32Array(buckets).fill(-1);
  let cols = 0;
  for (let bucket = 0; bucket < buckets; bucket++) {
    if (textsWith[bucket] >= LEAST_TEXTS) columnOf[bucket] = cols++;
  }
  const weighted = new RowBuilder();
  for (let row = 0; row < texts.length; row++) {
    const own = counted.columns.subarray(counted.offsets[row], counted.offsets[row + 1]);
    const weights = Float64Array.from(own, (bucket, i) => {
      if (columnOf[bucket] < 0) return 0;
      const idf = 1 + Math.log((1 + texts.length) / (1 + textsWith[bucket]));
      return Math.log1p(counted.values[counted.offsets[row] + i]) * idf;
    });
    const norm = Math.sqrt(weights.reduce((sum, weight) => sum + weight * weight, 0));
    for (const [i, bucket] of own.entries()) {
      if (columnOf[bucket] >= 0) weighted.add(columnOf[bucket], weights[i] / norm);
    }
    weighted.endRow();
  }
  return weighted.build(cols);
}

/** Weighted counts of the words of a text and of their runs of `letters` letters, by bucket. */
function countTerms(text: string, letters: number, bucketOf: (term: string) => number): Map<number, number> {
  const counts = new Map<number, number>();
  const add = (term: string, weight: number) => {
    const bucket = bucketOf(term);
    counts.set(bucket, (counts.get(bucket) ?? 0) + weight);
  };
  for (const [place, word] of wordsOf(text).entries()) {
    const weight = placeWeight(place);
    add(word, weight);
    if (letters === 0) continue;
    // Spaces mark where the word begins and ends, and keep runs apart from words.
    const spaced = ` ${word} `;
    for (let at = 0; at + letters <= spaced.length; at++) add(`~${spaced.slice(at, at + letters)}`, weight);
  }
  return counts;
}

/** FNV-1a alone leaves its low bits nearly linear in the last letters. Source of the mixer: MurmurHash3, fmix32. */
function mixedHash(term: string, seed: number): number {
  let hash = hashText(term) ^ seed;
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}

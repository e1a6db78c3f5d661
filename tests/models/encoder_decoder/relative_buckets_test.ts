import assert from "node:assert/strict";
import {
  bucketsByDistance,
  relativeBucket,
  type RelativeBuckets,
} from "../../../models/encoder_decoder/relative_buckets.ts";

const golden: Record<string, number[]> = JSON.parse(
  await Deno.readTextFile(new URL("../../golden/encoder_decoder/t5.json", import.meta.url)),
).buckets;

/** Settings of a key such as "encoder 32 128". */
function settingsOf(key: string): RelativeBuckets {
  const [stack, buckets, farthest] = key.split(" ");
  return { buckets: Number(buckets), farthest: Number(farthest), bidirectional: stack === "encoder" };
}

Deno.test("relativeBucket() of key less query in T5's encoder and decoder", () => {
  const encoder = { buckets: 32, farthest: 128, bidirectional: true };
  const distances = [-200, -64, -20, -8, -1, 0, 1, 8, 20, 64, 200];
  const expected = [15, 14, 10, 8, 1, 0, 17, 24, 26, 30, 31];
  assert.deepEqual(distances.map((distance) => relativeBucket(distance, encoder)), expected);
  assert.equal(relativeBucket(-3, { ...encoder, bidirectional: false }), 3);
});

Deno.test("relativeBucket() equals transformers' for all distances up to 200", () => {
  for (const [key, expected] of Object.entries(golden)) {
    const settings = settingsOf(key);
    assert.deepEqual(expected.map((_, i) => relativeBucket(i - 200, settings)), expected, key);
  }
});

Deno.test("bucketsByDistance() has all distances that differ, four buckets next to each other", () => {
  for (const key of Object.keys(golden)) {
    const settings = settingsOf(key);
    const { farthest } = settings;
    const buckets = bucketsByDistance(settings);
    assert.equal(buckets[0], relativeBucket(-10 * farthest, settings), key);
    assert.equal(buckets.at(-1), relativeBucket(10 * farthest, settings), key);
    buckets.forEach((bucket, i) => assert.equal(bucket, relativeBucket(i - farthest, settings), key));
    // What the backward pass of `relativeAttention()` relies on: keys that a decoder does not see apart.
    const seen = settings.bidirectional ? buckets : buckets.subarray(0, farthest + 1);
    const runs = [...seen].map((bucket) => bucket >> 2).filter((group, i, all) => group !== all[i - 1]);
    assert.equal(new Set(runs).size, runs.length, key);
  }
});

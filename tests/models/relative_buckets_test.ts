import assert from "node:assert/strict";
import { relativeBucket, type RelativeBuckets, relativeRanges } from "../../models/relative_buckets.ts";

const golden: Record<string, number[]> = JSON.parse(
  await Deno.readTextFile(new URL("../golden/t5.json", import.meta.url)),
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

Deno.test("relativeRanges() puts every distance into the one bucket that relativeBucket() names", () => {
  for (const key of Object.keys(golden)) {
    const settings = settingsOf(key);
    const ranges = new Int32Array(relativeRanges(settings).buffer);
    assert.equal(ranges.length, 2 * settings.buckets);
    for (let distance = -1000; distance <= 1000; distance++) {
      const holders = [];
      for (let b = 0; b < settings.buckets; b++) {
        if (distance >= ranges[2 * b] && distance < ranges[2 * b + 1]) holders.push(b);
      }
      assert.deepEqual(holders, [relativeBucket(distance, settings)], `${key}, distance ${distance}`);
    }
  }
});

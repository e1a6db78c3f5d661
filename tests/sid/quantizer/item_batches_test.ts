import assert from "node:assert/strict";
import { shuffledBatches, splitItems } from "../../../sid/quantizer/item_batches.ts";
import fc from "../../property.ts";

Deno.test("shuffledBatches() holds every item once, groups side by side, in another order each epoch", () => {
  const sizes = fc.record({
    count: fc.integer({ min: 2, max: 60 }),
    batchSize: fc.integer({ min: 1, max: 60 }),
  });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 9 }), fc.nat(99), ({ count, batchSize }, groups, seed) => {
      const items = Uint32Array.from({ length: count }, (_, i) => 2 * i);
      const groupOf = Array.from({ length: 2 * count }, (_, item) => item % groups);
      const batches = shuffledBatches(items, batchSize, seed, 3, groupOf);
      const all = batches.flatMap((batch) => [...batch]);
      assert.deepEqual(all.toSorted((a, b) => a - b), [...items]);
      assert.ok(batches.every((batch, i) => batch.length === batchSize || i === batches.length - 1));
      if (batchSize >= count) return;
      const changes = all.filter((item, i) => i > 0 && groupOf[item] !== groupOf[all[i - 1]]).length;
      assert.equal(changes, new Set(all.map((item) => groupOf[item])).size - 1);
    }),
  );
  const items = Uint32Array.from({ length: 50 }, (_, i) => i);
  assert.notDeepEqual(shuffledBatches(items, 10, 1, 0), shuffledBatches(items, 10, 1, 1));
  assert.deepEqual(shuffledBatches(items, 10, 1, 1), shuffledBatches(items, 10, 1, 1));
});

Deno.test("splitItems() holds out a share of the rows, and no row is in both parts", () => {
  const { items, unseen } = splitItems(41, 0.25, 7);
  assert.equal(unseen.length, 10);
  assert.deepEqual([...items, ...unseen].sort((a, b) => a - b), Array.from({ length: 41 }, (_, i) => i));
  assert.equal(splitItems(41, 0, 7).unseen.length, 0);
});

import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { clusterCodewords, drawPositives } from "../../../sid/quantizer/codeword_clusters.ts";
import fc from "../../property.ts";

/** Codewords of two numbers: each near one of four corners. */
function corners(rows: number) {
  const random = new PhiloxStream(1, "corners");
  const data = Float32Array.from(
    { length: 2 * rows },
    (_, i) => 10 * (i % 2 === 0 ? Math.floor(i / 2) % 2 : Math.floor(i / 4) % 2) + random.normal(),
  );
  return { data, rows, dim: 2 };
}

Deno.test("clusterCodewords() puts codewords that lie together in one cluster", () => {
  const labels = clusterCodewords(corners(40), 4, 42, 0);
  for (let row = 4; row < 40; row++) assert.equal(labels[row], labels[row % 4]);
  assert.equal(new Set(labels).size, 4);
});

Deno.test("clusterCodewords() makes clusters of 2 or more codewords, of half to twice their mean number", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 60 }),
      fc.integer({ min: 1, max: 12 }),
      fc.nat(9),
      (rows, clusters, draw) => {
        const labels = clusterCodewords(corners(rows), clusters, 42, draw);
        const count = Math.max(1, Math.min(clusters, Math.floor(rows / 2)));
        const sizes = Array.from({ length: count }, (_, k) => labels.filter((label) => label === k).length);
        assert.equal(sizes.reduce((sum, size) => sum + size), rows);
        for (const size of sizes) {
          assert.ok(
            size >= 2 && size >= Math.floor(rows / (2 * count)) && size <= Math.ceil(2 * rows / count),
          );
        }
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("clusterCodewords() copes with codewords that are all alike", () => {
  const labels = clusterCodewords({ data: new Float32Array(24), rows: 12, dim: 2 }, 3, 42, 0);
  assert.equal(labels.length, 12);
});

Deno.test("drawPositives() draws every other codeword of the cluster, never itself", () => {
  const labels = Uint32Array.of(0, 1, 0, 1, 0, 2, 2);
  const drawn = labels.reduce((all) => [...all, new Set<number>()], [] as Set<number>[]);
  for (let epoch = 0; epoch < 50; epoch++) {
    drawPositives(labels, new PhiloxStream(1, "positives", epoch)).forEach((other, k) => drawn[k].add(other));
  }
  const others = [[2, 4], [3], [0, 4], [1], [0, 2], [6], [5]];
  assert.deepEqual(drawn.map((set) => [...set].sort()), others);
});

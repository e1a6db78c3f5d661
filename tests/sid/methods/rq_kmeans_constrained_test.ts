import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import golden from "../../golden/clustering/constrained_kmeans.json" with { type: "json" };
import { PhiloxStream } from "../../../base/philox.ts";
import { UserError } from "../../../base/user_error.ts";
import { constrainedKmeans } from "../../../sid/assignment/constrained_kmeans.ts";
import { kmeansPlusPlus } from "../../../sid/kmeans/start.ts";
import { rqKmeansConstrained, sizeBounds } from "../../../sid/methods/rq_kmeans_constrained.ts";
import fc from "../../property.ts";

const vectors = (rows: number, dim: number) => {
  const random = new PhiloxStream(7, "test embeddings");
  return { data: Float32Array.from({ length: rows * dim }, () => random.normal()), rows, dim };
};

Deno.test("constrainedKmeans() costs at most 1 % more than the k-means-constrained package at equal bounds", async () => {
  const points = { data: Float32Array.from(golden.points.flat()), rows: golden.points.length, dim: 8 };
  const { min, max, clusters } = golden;
  const device = await sharedDevice();
  const start = await kmeansPlusPlus(device, points.data, points, clusters, 42, 0);
  const errors: number[] = [];
  const { labels, inertia } = await constrainedKmeans(
    device,
    points,
    start,
    { min, max, iterations: 100, tolerance: 1e-5 },
    (_, error) => errors.push(error),
  );
  assert.ok(inertia < 1.01 * golden.inertia, `cost ${inertia}, package ${golden.inertia}`);
  const counts = new Array(clusters).fill(0);
  for (const label of labels) counts[label]++;
  assert.ok(counts.every((count) => count >= min && count <= max), `sizes ${counts}`);
  errors.forEach((error, i) => assert.ok(i === 0 || error <= errors[i - 1] * (1 + 1e-6), `errors ${errors}`));
});

Deno.test("rqKmeansConstrained.fit() puts floor(N / K) - 1 to floor(N / K) + 1 items on every codeword of every level", async () => {
  const embeddings = vectors(203, 5);
  const config = rqKmeansConstrained.Config.parse({ codebookSize: 16 });
  const { codes, levels } = await rqKmeansConstrained.fit(await sharedDevice(), { embeddings }, config);
  for (let level = 0; level < levels; level++) {
    const counts = new Array(16).fill(0);
    for (let item = 0; item < 203; item++) counts[codes[item * levels + level]]++;
    assert.ok(counts.every((count) => count >= 11 && count <= 13), `level ${level}: ${counts}`);
  }
});

Deno.test("sizeBounds() can always hold all items, unless told otherwise", () => {
  const catalogue = fc.tuple(fc.integer({ min: 2, max: 300 }), fc.integer({ min: 0, max: 2000 }));
  fc.assert(fc.property(catalogue, ([codebookSize, more]) => {
    const rows = codebookSize + more;
    const { min, max } = sizeBounds(rows, { codebookSize, minSize: 0, maxSize: 0 });
    assert.ok(min >= 1 && min * codebookSize <= rows && max * codebookSize >= rows);
  }));
});

Deno.test("rqKmeansConstrained.fit() refuses bounds that no clustering keeps to, before any work", async () => {
  const config = rqKmeansConstrained.Config.parse({ codebookSize: 16, minSize: 7 });
  await assert.rejects(
    async () => rqKmeansConstrained.fit(await sharedDevice(), { embeddings: vectors(100, 4) }, config),
    (error) =>
      error instanceof UserError &&
      /100 items on 16 codewords of 7 to 7 .* 112 to 112\. Use --min-size 6 or less/.test(error.message),
  );
});

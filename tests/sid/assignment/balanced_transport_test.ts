import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { shuffledOrder } from "../../../base/shuffle.ts";
import type { Matrix } from "../../../kernels/gpu/tensor.ts";
import {
  evenCapacities,
  fillCapacities,
  suitedEpsilon,
  type TransportOptions,
  transportPrices,
} from "../../../sid/assignment/balanced_transport.ts";
import fc from "../../property.ts";
import { sharedDevice } from "../../shared_device.ts";

/** Costs in blocks of two rows. */
function* blocksOf(values: Float32Array, clusters: number) {
  for (let first = 0; first * clusters < values.length; first += 2) {
    yield { first, values: values.subarray(first * clusters, (first + 2) * clusters) };
  }
}

/** Prices of costs that lie on the device in blocks of 20 rows. */
async function pricesOf(costs: Float32Array, clusters: number, options: TransportOptions) {
  const device = await sharedDevice();
  const blocks: Matrix[] = [];
  for (let from = 0; from < costs.length; from += 20 * clusters) {
    const values = costs.subarray(from, from + 20 * clusters);
    blocks.push(device.upload(values, values.length / clusters, clusters));
  }
  const capacities = evenCapacities(costs.length / clusters, clusters);
  const heights = blocks.map(({ rows }) => rows);
  const prices = await transportPrices(device, () => blocks, heights, capacities, options);
  blocks.forEach((block) => device.destroy(block));
  return prices;
}

const randomCosts = (rows: number, clusters: number, scale: number) => {
  const random = new PhiloxStream(2, "costs");
  return Float32Array.from({ length: rows * clusters }, (_, i) => scale * (random.uniform() + i % clusters));
};

/** Mass of every cluster, where each point spreads 1 by its softmax. */
function masses(costs: Float32Array, prices: Float64Array, epsilon: number): number[] {
  const clusters = prices.length;
  const total = new Array(clusters).fill(0);
  for (let i = 0; i < costs.length; i += clusters) {
    const score = Array.from(prices, (price, k) => (price - costs[i + k]) / epsilon);
    const most = Math.max(...score);
    const weights = score.map((value) => Math.exp(value - most));
    const sum = weights.reduce((a, b) => a + b);
    weights.forEach((weight, k) => total[k] += weight / sum);
  }
  return total;
}

for (const [scale, epsilon] of [[1, 0.5], [1e-6, 1e-6]]) {
  Deno.test(`transportPrices() fills every cluster to its capacity, costs times ${scale}, epsilon ${epsilon}`, async () => {
    const costs = randomCosts(50, 4, scale);
    const capacities = evenCapacities(50, 4);
    const options = { epsilon, iterations: 200, tolerance: 1e-3 };
    const prices = await pricesOf(costs, 4, options);
    masses(costs, prices, epsilon).forEach((mass, k) =>
      assert.ok(Math.abs(mass - capacities[k]) <= 1.1e-3 * capacities[k], `cluster ${k} has mass ${mass}`)
    );
  });
}

Deno.test("transportPrices() stays finite where costs are 20000 times epsilon apart", async () => {
  const options = { epsilon: 0.5, iterations: 50, tolerance: 1e-3 };
  assert.ok((await pricesOf(randomCosts(50, 4, 1e4), 4, options)).every(Number.isFinite));
});

Deno.test("fillCapacities() fills every cluster exactly", async () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 7 }));
  await fc.assert(fc.asyncProperty(sizes, async ([rows, clusters]) => {
    const costs = blocksOf(randomCosts(rows, clusters, 1), clusters);
    const capacities = evenCapacities(rows, clusters);
    const order = (count: number, first: number) => shuffledOrder(count, 1, first);
    const labels = await fillCapacities(costs, capacities, new Float64Array(clusters), order);
    const counts = new Uint32Array(clusters);
    for (const label of labels) counts[label]++;
    assert.deepEqual(counts, capacities);
  }));
});

Deno.test("fillCapacities() sends a point whose clusters are full to the best one with room", async () => {
  // Both like cluster 0; the second takes 2, which it likes better than 1.
  const costs = blocksOf(Float32Array.of(0, 9, 9, 0, 5, 3), 3);
  const order = () => Uint32Array.of(0, 1);
  const labels = await fillCapacities(costs, Uint32Array.of(1, 0, 1), new Float64Array(3), order);
  assert.deepEqual([...labels], [0, 2]);
});

Deno.test("suitedEpsilon() is a tenth of the median spread between the least cost and the 90th percentile", () => {
  const row = (top: number) => Array.from({ length: 11 }, (_, k) => k * top / 10);
  const costs = Float32Array.from([...row(10), ...row(20), ...row(100)]);
  assert.ok(Math.abs(suitedEpsilon(costs, 11) - 0.1 * 18) < 1e-6);
  assert.equal(suitedEpsilon(new Float32Array(6), 3), 1);
});

import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { assignWithinBounds, type SizeBounds } from "../../../sid/assignment/bounded.ts";
import fc from "../../property.ts";

function totalCost(costs: ArrayLike<number>, clusters: number, labels: ArrayLike<number>): number {
  return Array.from(labels, (label, i) => costs[i * clusters + label]).reduce((sum, cost) => sum + cost, 0);
}

function sizes(labels: Uint32Array, clusters: number): number[] {
  const counts = new Array(clusters).fill(0);
  for (const label of labels) counts[label]++;
  return counts;
}

/** Least cost of placing the points from `point` on, by trying everything. */
function bruteForce(
  costs: number[],
  clusters: number,
  bounds: SizeBounds,
  counts: number[],
  point = 0,
): number {
  if (point * clusters === costs.length) {
    return counts.every((count) => count >= bounds.min) ? 0 : Infinity;
  }
  let least = Infinity;
  for (let k = 0; k < clusters; k++) {
    if (counts[k] === bounds.max) continue;
    counts[k]++;
    least = Math.min(
      least,
      costs[point * clusters + k] + bruteForce(costs, clusters, bounds, counts, point + 1),
    );
    counts[k]--;
  }
  return least;
}

const scenes = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 3 })).chain(
  ([points, clusters]) =>
    fc.record({
      clusters: fc.constant(clusters),
      costs: fc.array(fc.integer({ min: -9, max: 9 }), {
        minLength: points * clusters,
        maxLength: points * clusters,
      }),
      min: fc.integer({ min: 0, max: Math.floor(points / clusters) }),
      max: fc.integer({ min: Math.ceil(points / clusters), max: points }),
      prices: fc.array(fc.integer({ min: -9, max: 9 }), { minLength: clusters, maxLength: clusters }),
    }),
);

Deno.test("assignWithinBounds() is as cheap as the best of all assignments, whatever prices it starts from", () => {
  fc.assert(fc.property(scenes, ({ clusters, costs, min, max, prices }) => {
    const least = bruteForce(costs, clusters, { min, max }, new Array(clusters).fill(0));
    for (const start of [undefined, Float64Array.from(prices)]) {
      const { labels } = assignWithinBounds(Float64Array.from(costs), clusters, { min, max }, start);
      assert.ok(sizes(labels, clusters).every((count) => count >= min && count <= max));
      assert.equal(totalCost(costs, clusters, labels), least);
    }
  }));
});

Deno.test("assignWithinBounds() proves its cost: the prices bound it from below to the last digits", () => {
  const [points, clusters] = [2000, 32];
  const random = new PhiloxStream(3, "costs");
  // Clusters of very unequal appeal, so that most points cannot have the one they like best.
  const costs = Float32Array.from(
    { length: points * clusters },
    (_, i) => random.uniform() + (i % clusters) / 20,
  );
  for (const bounds of [{ min: 62, max: 63 }, { min: 61, max: 80 }, { min: 0, max: 63 }]) {
    const { labels, prices } = assignWithinBounds(costs, clusters, bounds);
    assert.ok(sizes(labels, clusters).every((count) => count >= bounds.min && count <= bounds.max));
    // Weak duality: sum_i min_k (cost + price) - sum_k price * (max where it is above 0, else min).
    let dual = 0;
    for (let i = 0; i < points; i++) {
      dual += Math.min(...Array.from(prices, (price, k) => costs[i * clusters + k] + price));
    }
    for (const price of prices) dual -= price * (price > 0 ? bounds.max : bounds.min);
    const cost = totalCost(costs, clusters, labels);
    assert.ok(Math.abs(cost - dual) < 1e-9 * cost, `cost ${cost}, lower bound ${dual}`);
  }
});

Deno.test("assignWithinBounds() places points that are all alike", () => {
  const { labels } = assignWithinBounds(new Float64Array(12 * 5), 5, { min: 2, max: 3 });
  assert.deepEqual(sizes(labels, 5).sort(), [2, 2, 2, 3, 3]);
});

Deno.test("assignWithinBounds() refuses bounds that cannot hold all points", () => {
  assert.throws(() => assignWithinBounds(new Float64Array(10), 2, { min: 1, max: 2 }), /expected .* 2 to 4/);
  assert.throws(() => assignWithinBounds(new Float64Array(10), 2, { min: 3, max: 9 }), RangeError);
});

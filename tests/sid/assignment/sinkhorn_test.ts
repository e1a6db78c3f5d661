import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { sinkhornAssign, sinkhornPlan } from "../../../sid/assignment/sinkhorn.ts";
import fc from "../../property.ts";

const TWO_ROWS = Float64Array.of(1, 2, 4, 1.1, 2.5, 3.9);

Deno.test("sinkhornPlan() of two rows and three columns is the plan worked out by hand", () => {
  const plan = sinkhornPlan(TWO_ROWS, 2, 3, { epsilon: 0.5, iterations: 50 });
  [0.31872, 0.40640, 0.27488, 0.34794, 0.26027, 0.39179].forEach((mass, i) => {
    assert.ok(Math.abs(plan[i] - mass) < 5e-6, `${plan[i]} is not ${mass}`);
  });
});

Deno.test("sinkhornPlan() has columns of mass rows / cols, whatever the distances", () => {
  const shape = fc.record({ rows: fc.integer({ min: 1, max: 9 }), cols: fc.integer({ min: 1, max: 9 }) });
  fc.assert(
    fc.property(
      shape,
      fc.nat(1000),
      fc.double({ min: 0.01, max: 2, noNaN: true }),
      ({ rows, cols }, seed, epsilon) => {
        const random = new PhiloxStream(seed, "distances");
        const distances = Float64Array.from({ length: rows * cols }, () => 10 * random.uniform());
        const plan = sinkhornPlan(distances, rows, cols, { epsilon, iterations: 5 });
        for (let col = 0; col < cols; col++) {
          let sum = 0;
          for (let row = 0; row < rows; row++) sum += plan[row * cols + col];
          assert.ok(Math.abs(sum - rows / cols) < 1e-9);
        }
      },
    ),
  );
});

Deno.test("sinkhornAssign() gives two equal rows the first column", () => {
  const distances = Float32Array.of(3, 1, 2, 5, 3, 1, 2, 5);
  assert.deepEqual([...sinkhornAssign(distances, 2, 4, { epsilon: 0.003, iterations: 50 })], [0, 0]);
});

Deno.test("sinkhornAssign() tells two close rows apart: each takes the column where it beats the other", () => {
  const random = new PhiloxStream(1, "close rows");
  for (let trial = 0; trial < 20; trial++) {
    const cols = 64;
    const base = Float64Array.from({ length: cols }, () => 1 + random.uniform());
    const apart = Float64Array.from(base, () => 0.01 * random.normal());
    const distances = Float64Array.of(...base, ...base.map((distance, col) => distance + apart[col]));
    const best = (values: Float64Array) => values.indexOf(Math.max(...values));
    const assigned = sinkhornAssign(distances, 2, cols, { epsilon: 0.003, iterations: 50 });
    assert.deepEqual([...assigned], [best(apart), best(apart.map((difference) => -difference))]);
  }
});

Deno.test("sinkhornPlan() refuses distances of another shape and an epsilon of 0", () => {
  assert.throws(
    () => sinkhornPlan(TWO_ROWS, 2, 2, { epsilon: 1, iterations: 1 }),
    /6 distances: expected \(2, 2\)/,
  );
  assert.throws(() => sinkhornPlan(TWO_ROWS, 2, 3, { epsilon: 0, iterations: 1 }), /epsilon is 0/);
});

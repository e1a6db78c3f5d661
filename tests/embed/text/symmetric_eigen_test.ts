import assert from "node:assert/strict";
import { symmetricEigen } from "../../../embed/text/symmetric_eigen.ts";
import fc from "../../property.ts";

Deno.test("symmetricEigen() of [[2, 1], [1, 2]] is 3 along (1, 1) and 1 along (1, -1)", () => {
  const { values, vectors } = symmetricEigen(Float64Array.of(2, 1, 1, 2), 2);
  assert.deepEqual([...values].map((value) => Math.round(value * 1e12) / 1e12), [3, 1]);
  assert.ok(Math.abs(vectors[0] - vectors[2]) < 1e-12 && Math.abs(vectors[1] + vectors[3]) < 1e-12);
});

Deno.test("symmetricEigen() gives A V = V L with orthonormal V and L falling, whatever A", () => {
  const numbers = fc.integer({ min: 1, max: 7 }).chain((n) =>
    fc.tuple(
      fc.constant(n),
      fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: n * n, maxLength: n * n }),
    )
  );
  fc.assert(fc.property(numbers, ([n, entries]) => {
    const a = Float64Array.from(entries, (_, i) => entries[Math.min(i, (i % n) * n + Math.floor(i / n))]);
    const { values, vectors } = symmetricEigen(a, n);
    for (let i = 0; i < n; i++) {
      if (i > 0) assert.ok(values[i] <= values[i - 1]);
      for (let j = 0; j < n; j++) {
        let product = 0, cosine = 0;
        for (let k = 0; k < n; k++) {
          product += a[i * n + k] * vectors[k * n + j];
          cosine += vectors[k * n + i] * vectors[k * n + j];
        }
        assert.ok(Math.abs(product - vectors[i * n + j] * values[j]) < 1e-8, "A V = V L");
        assert.ok(Math.abs(cosine - Number(i === j)) < 1e-10, "V^T V = 1");
      }
    }
  }));
});

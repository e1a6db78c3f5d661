import assert from "node:assert/strict";
import { featureEffects } from "../../../rank/features/effects.ts";

Deno.test("a feature moves a row by what its inputs say beyond the list's mean", () => {
  // `share` has one input, `count` three: itself, its log and whether it is 0.
  const columns = [{ name: "share", signed: true }, { name: "count" }];
  const inputs = Float32Array.of(1, 2, 0, 0, 3, 4, 0, 1);
  const weights = [2, 1, 10, 4];
  const score = (rows: Float32Array) =>
    Float32Array.from(
      { length: 2 },
      (_, row) => weights.reduce((sum, w, i) => sum + w * rows[row * 4 + i], 0),
    );
  // Means are 2, 3, 0, .5: of the first row share lies 1 below, count 1 and .5 below.
  assert.deepEqual(featureEffects(columns, inputs, 2, score), [[-2, -3], [2, 3]]);
  assert.deepEqual([...inputs], [1, 2, 0, 0, 3, 4, 0, 1]);
});

import assert from "node:assert/strict";
import { inputCount, InputMoments, standardise } from "../../../rank/features/standardise.ts";

const COLUMNS = [{ name: "count" }, { name: "logit", signed: true }, { name: "constant", signed: true }];

Deno.test("a count also comes as its log and as whether it is 0; inputs have mean 0 and deviation 1", () => {
  assert.equal(inputCount(COLUMNS), 5);
  const raw = Float32Array.of(0, -4, 7, 2, 4, 7);
  const moments = new InputMoments(COLUMNS);
  moments.add(raw.subarray(0, 3));
  moments.add(raw.subarray(3));
  const fitted = moments.standardisation();
  assert.deepEqual([fitted.mean[0], fitted.mean[2], fitted.mean[3], fitted.mean[4]], [1, 0.5, 0, 7]);
  assert.deepEqual([fitted.deviation[0], fitted.deviation[2], fitted.deviation[3]], [1, 0.5, 4]);
  assert.ok(Math.abs(fitted.mean[1] - (Math.log(0.001) + Math.log(2.001)) / 2) < 1e-5);
  const inputs = new Float32Array(10);
  standardise(COLUMNS, fitted, raw, inputs);
  const apart = new Float32Array(16);
  standardise(COLUMNS, fitted, raw, apart, 0, 8);
  assert.deepEqual([...apart], [...inputs.subarray(0, 5), 0, 0, 0, ...inputs.subarray(5), 0, 0, 0]);
  inputs.forEach((value, i) =>
    assert.ok(Math.abs(value - [-1, -1, 1, -1, 0, 1, 1, -1, 1, 0][i]) < 1e-5, `${i}: ${value}`)
  );
});

Deno.test("values far from the mean are cut off at 5 deviations", () => {
  const fitted = { mean: new Float32Array(5), deviation: new Float32Array(5).fill(1) };
  const inputs = new Float32Array(7);
  standardise(COLUMNS, fitted, Float32Array.of(100, -100, 2), inputs, 2);
  assert.deepEqual([...inputs], [0, 0, 5, Math.fround(Math.log(100.001)), 0, -5, 2]);
});

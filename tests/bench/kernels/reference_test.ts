import assert from "node:assert/strict";
import { errorOf, TOLERANCE } from "../../../bench/kernels/check.ts";
import { attentionGradients } from "../../../bench/kernels/reference_attention.ts";
import {
  initialParameters,
  lossAndGradients,
  referenceLosses,
} from "../../../bench/kernels/reference_step.ts";
import { matmulInputs, type MatmulWorkload, type StepWorkload } from "../../../bench/kernels/workload.ts";

const tiny: StepWorkload = {
  kind: "step",
  width: 16,
  layers: 2,
  heads: 2,
  intermediate: 24,
  vocabulary: 11,
  lengths: [4, 7, 5],
};

Deno.test("lossAndGradients() equals central differences of its loss", () => {
  const parameters = initialParameters(tiny);
  const { gradients } = lossAndGradients(tiny, parameters);
  const h = 1e-4;
  for (const [name, values] of parameters) {
    for (const i of [0, 3, values.length - 1]) {
      const kept = values[i];
      const at = (x: number) => {
        values[i] = x;
        return lossAndGradients(tiny, parameters).loss;
      };
      const difference = (at(kept + h) - at(kept - h)) / (2 * h);
      values[i] = kept;
      const error = Math.abs(difference - gradients.get(name)![i]);
      assert.ok(error <= 1e-5 * (1e-2 + Math.abs(difference)), `${name} [${i}] is off by ${error}`);
    }
  }
});

Deno.test("referenceLosses() fall while the same batch is learnt", () => {
  const [first, second, third] = referenceLosses(tiny);
  // Nearly uniform at first: ln 11 = 2.398.
  assert.ok(Math.abs(first - Math.log(11)) < 0.1);
  assert.ok(second < first && third < second);
});

Deno.test("attentionGradients() of equal scores is the mean of the values seen", () => {
  const { o } = attentionGradients({ lengths: [2, 1], heads: 1, headDim: 1 }, {
    q: [0, 0, 0],
    k: [1, 2, 3],
    v: [4, 6, 9],
    dO: [0, 0, 0],
  });
  assert.deepEqual([...o], [4, 5, 9]);
});

Deno.test("errorOf() accepts a float64 product and rejects it with one element changed", () => {
  const workload: MatmulWorkload = { kind: "matmul", m: 3, k: 5, n: 4 };
  const { a, b } = matmulInputs(workload);
  const c = new Float64Array(12);
  for (let row = 0; row < 3; row++) {
    for (let col = 0; col < 4; col++) {
      for (let i = 0; i < 5; i++) c[row * 4 + col] += a[row * 5 + i] * b[i * 4 + col];
    }
  }
  assert.ok(errorOf(workload, { c }) < 1e-12);
  c[7] += 0.1;
  assert.ok(errorOf(workload, { c }) > TOLERANCE.matmul);
  assert.equal(errorOf(workload, { c: c.subarray(1) }), Infinity);
});

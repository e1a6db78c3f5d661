import assert from "node:assert/strict";
import {
  bucketSeconds,
  type ClusterRates,
  collectSeconds,
  meanOfMaximum,
  microBatchesFor,
  predictStep,
  stateBytes,
} from "../../../train/ranks/cost_model.ts";
import { fitSteps, type MeasuredStep } from "../../../train/ranks/fit.ts";
import { simulateSteps } from "../../../train/ranks/simulated_step.ts";

/** Rates whose terms can be told apart by hand. */
const rates: ClusterRates = { link: 8e9, copy: 16e9, additions: 1e9, latency: 0, spread: 0 };
const shape = { compute: 3, backward: 2, buckets: [1e9] };
/** The same gradient in equal parts. */
const parts = (count: number, whole = 1e9) => Array.from({ length: count }, () => whole / count);
const near = (found: number, expected: number, tolerance: number) =>
  assert.ok(
    Math.abs(found - expected) <= tolerance * Math.abs(expected),
    `${found}, expected about ${expected}`,
  );

Deno.test("a step of two ranks takes copies, half of the gradient there and back, and half of its sums", () => {
  // 8 GB over 16 GB/s, 2 * 4 GB / 2 over 8 GB/s, 1e9 / 2 additions.
  near(bucketSeconds(1e9, 2, rates), 0.5 + 0.5 + 0.5, 1e-12);
  assert.deepEqual(predictStep(shape, 1, rates).total, 3);
  near(predictStep(shape, 2, rates).total, 4.5, 1e-12);
  near(predictStep(shape, 2, rates).efficiency, 3 / 4.5, 1e-12);
  // Barriers of 1 step and 1 message, each twice.
  near(bucketSeconds(1e9, 2, { ...rates, latency: 0.01 }), 1.5 + 4 * 0.01, 1e-12);
});

Deno.test("buckets hide what the backward pass has time for", () => {
  // Four of 0.375 s, known at 1.5, 2, 2.5 and 3 s: only the last one is left after the backward pass.
  const hidden = predictStep({ ...shape, buckets: parts(4) }, 2, rates);
  near(hidden.exposed, 0.375, 1e-12);
  near(hidden.reduce, 1.5, 1e-12);
  // With a link ten times slower they queue from when the first is known.
  const slow = predictStep({ ...shape, buckets: parts(4) }, 2, { ...rates, link: 8e8 });
  near(slow.total, 1.5 + 0.5 + 5 + 0.5, 1e-12);
});

Deno.test("moments in shares take a quarter less memory on two devices, and send the weights once more", () => {
  // Weights, gradients and two moments of 4 bytes; of the moments a half.
  assert.equal(stateBytes(1e9, 2, false), 16e9);
  assert.equal(stateBytes(1e9, 2, true), 12e9);
  assert.equal(stateBytes(1e9, 8, true), 9e9);
  // Half of 4 GB to the host and all of it back over 16 GB/s, half sent over 8 GB/s.
  near(collectSeconds(1e9, 2, rates), 0.125 + 0.25 + 0.25, 1e-12);
  // A barrier of 1 step and 1 message.
  near(collectSeconds(1e9, 2, { ...rates, latency: 0.01 }), 0.625 + 2 * 0.01, 1e-12);
  assert.equal(collectSeconds(1e9, 1, rates), 0);
  const shared = predictStep({ ...shape, shared: 1e9 }, 2, rates);
  near(shared.total, 4.5 + 0.625, 1e-12);
  near(shared.exposed, 1.5, 1e-12);
  near(simulateSteps({ ...shape, shared: 1e9 }, 2, rates, { steps: 1, seed: 1 }), 4.5 + 0.625, 1e-12);
});

Deno.test("the slowest of ranks is late by the mean of the largest of normal numbers", () => {
  near(meanOfMaximum(2), 1 / Math.sqrt(Math.PI), 1e-4);
  near(meanOfMaximum(8), 1.42360, 1e-4);
  near(meanOfMaximum(500), 3.0367, 1e-4);
  near(predictStep(shape, 8, { ...rates, spread: 0.1 }).straggling, 0.42708, 1e-3);
});

Deno.test("weak scaling asks for the fewest micro batches that reach it", () => {
  // k * 3 / (k * 3 + 1.5) is .889 for 4 and .941 for 8.
  assert.equal(microBatchesFor(0.9, shape, 2, rates), 8);
  assert.equal(microBatchesFor(0.6, shape, 2, rates), 1);
  assert.equal(microBatchesFor(0.9999, { ...shape, buckets: [1e12] }, 2, rates), undefined);
});

Deno.test("the prediction is what a simulation rank by rank takes, within 2 % with stragglers", () => {
  const realistic = { link: 2e10, copy: 2e10, additions: 2e9, latency: 5e-6, spread: 0.05 };
  const step = { compute: 0.6, backward: 0.4, buckets: parts(12, 5e8) };
  assert.equal(simulateSteps(step, 1, { ...realistic, spread: 0 }, { steps: 3, seed: 1 }), 0.6);
  for (const ranks of [2, 8, 64]) {
    for (const buckets of [[5e8], parts(12, 5e8), [...parts(10, 3e8), 2e8]]) {
      for (const shared of [0, 5e8]) {
        const simulated = simulateSteps({ ...step, buckets, shared }, ranks, realistic, {
          steps: 40,
          seed: 1,
        });
        near(simulated, predictStep({ ...step, buckets, shared }, ranks, realistic).total, 0.02);
      }
    }
  }
});

Deno.test("rates are found again in steps that were made of them, also with ranks that share cores", () => {
  const steps: MeasuredStep[] = ["small", "large"].flatMap((model, i) =>
    [1, 2, 4].map((ranks) => {
      const parameters = 1e6 * (1 + 9 * i);
      const compute = (0.1 + i) * 4 / ranks * Math.max(1, ranks / 2);
      return {
        model,
        parameters,
        ranks,
        microBatches: 4,
        seconds: compute + 2e-8 * parameters * (ranks - 1) / ranks + (ranks > 1 ? 0.05 : 0),
      };
    })
  );
  const fitted = fitSteps({ cores: 2, steps });
  near(fitted.microBatch.small, 0.1, 1e-6);
  near(fitted.microBatch.large, 1.1, 1e-6);
  near(fitted.number, 2e-8, 1e-6);
  near(fitted.meeting, 0.05, 1e-6);
  assert.ok(fitted.largestError < 1e-9);
  assert.throws(() => fitSteps({ cores: 2, steps: steps.filter(({ ranks }) => ranks === 1) }), {
    name: "UserError",
    message: /Cannot fit 2 measured steps of 2 models/,
  });
});

import assert from "node:assert/strict";
import { learningRateAt, scheduleOf } from "../../../models/optimizer/schedule.ts";

const base = { learningRate: 1, warmupSteps: 4, totalSteps: 12, minRatio: 0 };

Deno.test("learningRateAt() warms up to the peak in equal parts", () => {
  const rates = [0, 1, 2, 3].map((step) => learningRateAt(step, { ...base, name: "linear" }));
  assert.deepEqual(rates, [0.25, 0.5, 0.75, 1]);
});

Deno.test("learningRateAt() falls on a line to 0", () => {
  assert.equal(learningRateAt(4, { ...base, name: "linear" }), 1);
  assert.equal(learningRateAt(8, { ...base, name: "linear" }), 0.5);
  assert.equal(learningRateAt(12, { ...base, name: "linear" }), 0);
});

Deno.test("learningRateAt() follows half a cosine to the floor", () => {
  const schedule = { ...base, name: "cosine" as const, minRatio: 0.2 };
  assert.ok(Math.abs(learningRateAt(6, schedule) - (0.2 + 0.8 * (1 + Math.SQRT1_2) / 2)) < 1e-12);
  assert.ok(Math.abs(learningRateAt(8, schedule) - 0.6) < 1e-12);
  assert.ok(Math.abs(learningRateAt(12, schedule) - 0.2) < 1e-12);
});

Deno.test("learningRateAt() stays at the peak when constant", () => {
  assert.equal(learningRateAt(11, { ...base, name: "constant" }), 1);
});

Deno.test("scheduleOf() takes what settings say, and ends at 0 where they name no floor", () => {
  const settings = { lrSchedulerType: "linear", learningRate: 2, warmupSteps: 1 } as const;
  assert.deepEqual([0, 1, 2, 3].map((step) => learningRateAt(step, scheduleOf(settings, 3))), [2, 2, 1, 0]);
  // A share of the steps, rounded up.
  assert.equal(scheduleOf({ ...settings, warmupSteps: 0.3 }, 4).warmupSteps, 2);
  const floored = scheduleOf({ ...settings, minLearningRateRatio: 0.25 }, 3);
  assert.deepEqual([0, 1, 2, 3].map((step) => learningRateAt(step, floored)), [2, 2, 1.25, 0.5]);
});

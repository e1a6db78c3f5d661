import assert from "node:assert/strict";
import { errorOf, TOLERANCE } from "../../../bench/kernels/check.ts";
import { oursOn } from "../../../bench/kernels/ours.ts";
import { pad, unpad } from "../../../bench/layouts/padded.ts";
import { referenceLosses } from "../../../bench/kernels/reference_step.ts";
import type { BenchWorkload, StepWorkload } from "../../../bench/kernels/workload.ts";
import { Device } from "../../../kernels/gpu/device.ts";

Deno.test("oursOn() gives results that the benchmark accepts", async () => {
  const ours = oursOn(await Device.open());
  const workloads: BenchWorkload[] = [
    { kind: "matmul", m: 33, k: 20, n: 12 },
    { kind: "attention", lengths: [5, 1, 9], heads: 2, headDim: 8, backward: true },
  ];
  for (const workload of workloads) {
    const runner = await ours.open(workload);
    const error = errorOf(workload, await runner.outputs());
    assert.ok(error <= TOLERANCE[workload.kind], `${workload.kind} is off by ${error}`);
    await runner.run(2);
    runner.close?.();
  }
});

Deno.test("oursOn() trains as the float64 training step does", async () => {
  const step: StepWorkload = {
    kind: "step",
    width: 32,
    layers: 2,
    heads: 2,
    intermediate: 40,
    vocabulary: 19,
    lengths: [4, 7, 5, 12],
  };
  const runner = await oursOn(await Device.open()).open(step);
  const { losses } = await runner.outputs();
  referenceLosses(step).forEach((expected, i) => {
    assert.ok(Math.abs(losses[i] - expected) < 2e-4, `loss ${i} is ${losses[i]}, expected ${expected}`);
  });
  await runner.run(1);
  runner.close?.();
});

Deno.test("unpad() undoes pad()", () => {
  const padded = pad([1, 2, 3, 4, 5, 6], [1, 2], 2);
  assert.deepEqual([...padded], [1, 2, 0, 0, 3, 4, 5, 6]);
  assert.deepEqual([...unpad(padded, [1, 2], 2)], [1, 2, 3, 4, 5, 6]);
});

import assert from "node:assert/strict";
import { rlStep } from "../../../bench/layouts/rl.ts";
import { Device } from "../../../kernels/gpu/device.ts";

Deno.test("rlStep() learns the same from shared prompts as from copies of them", async () => {
  const shape = {
    prompts: 2,
    generations: 3,
    promptTokens: 10,
    completionTokens: 3,
    width: 32,
    layers: 2,
    vocabulary: 40,
    reference: true,
  };
  const device = await Device.open();
  const shared = rlStep(device, shape, "shared");
  const copied = rlStep(device, shape, "copied");
  // The last token of a completion is read by nothing: 2 prompts and 6 branches of 2, or 6 rows of 12.
  assert.equal(shared.rows, 2 * 10 + 6 * 2);
  assert.equal(copied.rows, 6 * (10 + 2));
  for (let step = 0; step < 2; step++) {
    const [a, b] = [await (await shared.run())(), await (await copied.run())()];
    for (const key of ["policyLoss", "kl", "gradientNorm"] as const) {
      assert.ok(Math.abs(a[key] - b[key]) < 1e-4 * (1 + Math.abs(a[key])), `${key}: ${a[key]}, ${b[key]}`);
    }
    assert.ok(a.gradientNorm > 1e-3);
  }
});

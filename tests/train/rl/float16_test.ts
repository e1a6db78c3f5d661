import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Device } from "../../../kernels/gpu/device.ts";
import { DivergenceError } from "../../../train/run/divergence.ts";
import type { RlConfig } from "../../../train/rl/config.ts";
import { bytesOf, logOf, train, withFolder } from "./tiny_run.ts";

const device = await Device.open({ dtype: "float16" });

/** Lines of steps alone. */
// deno-lint-ignore no-explicit-any
const steps = (lines: any[]) => lines.filter(({ valid }) => !valid);

const kinds: Record<string, Partial<RlConfig>> = {
  "a reference that moves": { loss: "clipped", numIterations: 2, refModelSyncSteps: 2, sftLossWeight: 100 },
  "adapters": { loraR: 2, rollout: "sample", sftLossWeight: 30 },
};
for (const [name, settings] of Object.entries(kinds)) {
  Deno.test(`trainRl() in float16 that overflows, stopped and resumed, equals a run that was not: ${name}`, async () => {
    await withFolder(async (folder) => {
      // Targets of such a weight are too much for the first scales.
      const all = { ...settings, maxSteps: 4, evalSteps: 2, loggingSteps: 1, evalSamples: 4 };
      const whole = await train(`${folder}/whole`, all, { device });
      const lines = steps(await logOf(whole.run));
      const skipped = lines.map(({ skippedUpdates }) => skippedUpdates);
      assert.ok(
        skipped[0] > 0 && skipped[3] > skipped[0] && skipped[3] < 4 * (settings.numIterations ?? 1),
        `${skipped}`,
      );
      for (const { lossScale, skippedUpdates } of lines) assert.equal(lossScale, 2 ** (16 - skippedUpdates));
      assert.ok(Math.abs(lines[0].kl) < 1e-6 && lines[3].kl > 1e-6, `KL ${lines.map(({ kl }) => kl)}`);
      assert.ok(
        lines[0].gradNorm === 0 && lines[3].gradNorm > 0,
        `norms ${lines.map(({ gradNorm }) => gradNorm)}`,
      );

      const abort = new AbortController();
      await train(`${folder}/parts`, all, {
        device,
        signal: abort.signal,
        onValidation: (step) => step === 2 && abort.abort(),
      });
      const { run } = await train(`${folder}/parts`, all, { device, resume: true });
      assert.deepEqual(await logOf(run), await logOf(whole.run));
      const files = ["model.safetensors", "trainer.safetensors"];
      if (settings.refModelSyncSteps) files.push("reference.safetensors");
      for (const file of files) {
        assert.ok(Buffer.compare(await bytesOf(run, file), await bytesOf(whole.run, file)) === 0, file);
      }
    });
  });
}

Deno.test("trainRl() in float16 stops where no smaller scale helps", async () => {
  await withFolder(async (folder) => {
    // Halved twice a step, the scale is 1 after the eighth.
    const far = {
      sftLossWeight: 1e30,
      loss: "clipped",
      numIterations: 2,
      maxSteps: 20,
      evalSteps: 20,
      evalSamples: 4,
    };
    await assert.rejects(() => train(`${folder}/run`, { ...far, loggingSteps: 1 }, { device }), (error) => {
      assert.ok(error instanceof DivergenceError, `${error}`);
      assert.match(error.message, /stopped at step 9: .* a finite norm\. .*, or --dtype float32$/);
      return true;
    });
  });
});

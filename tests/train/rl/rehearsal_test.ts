import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { rehearsed } from "../../../kernels/gpu/rehearsal.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { rlConfig } from "../../../train/rl/config.ts";
import { rehearseRl } from "../../../train/rl/rehearsal.ts";
import { trainRl } from "../../../train/rl/trainer.ts";
import { inputOn, SMALL, tinyParent, withFolder } from "./tiny_run.ts";

Deno.test("rehearseRl() counts what a step of reinforcement with its validation holds", async () => {
  await tinyParent();
  await withFolder(async (folder) => {
    for (const [rollout, dtype] of [["beam", "float32"], ["sample", "float16"]] as const) {
      const config = rlConfig({ ...SMALL, rollout, dtype, maxSteps: 1, evalSteps: 1 });
      const device = await Device.open({ dtype });
      const run = new RunDirectory(`${folder}/${rollout}`, config);
      const { bytes: counted } = await rehearsed(
        device,
        async (counting) => await rehearseRl({ ...await inputOn(counting, config), run, resume: false }),
      );
      assert.equal(device.memory.peak, 0);
      await run.create(false);
      await trainRl({ ...await inputOn(device, config), run, resume: false });
      const held = device.memory.peak;
      // It takes the longest prompts, which this step may not have.
      const share = counted / held;
      assert.ok(share >= 0.95 && share <= 1.25, `${rollout} in ${dtype}: ${counted} counted, ${held} held`);
      device.gpu.destroy();
    }
  });
});

import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { openRehearsal, rehearsed } from "../../../kernels/gpu/rehearsal.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import type { RlExamples } from "../../../data/packing/rl_examples.ts";
import { type RlConfig, rlConfig } from "../../../train/rl/config.ts";
import { RlPlan } from "../../../train/rl/plan.ts";
import { rehearseRl } from "../../../train/rl/rehearsal.ts";
import { trainRl } from "../../../train/rl/trainer.ts";
import { inputOn, SMALL, tinyDevice, tinyParent, withFolder } from "./tiny_run.ts";

Deno.test("rehearseRl() counts what a step of reinforcement with its validation holds", async () => {
  await tinyParent();
  await withFolder(async (folder) => {
    for (const [rollout, dtype] of [["beam", "float32"], ["sample", "float16"]] as const) {
      const config = rlConfig({
        ...SMALL,
        rollout,
        dtype,
        maxSteps: 1,
        evalSteps: 1,
        skipZeroVariance: false, // groups that are left out take less, which is not known before
      });
      const device = await Device.open({ dtype });
      const run = new RunDirectory(`${folder}/${rollout}`, config);
      const { bytes: counted } = await rehearsed(
        device,
        async (counting) => await rehearseRl({ ...await inputOn(counting, config), run, resume: false }),
      );
      assert.equal(device.memory.peak, 0);
      await run.create(false);
      const input = await inputOn(device, config);
      await trainRl({ ...input, run, resume: false });
      const held = device.memory.peak;
      const share = counted / held;
      assert.ok(share >= 0.95 && share <= 1.05, `${rollout} in ${dtype}: ${counted} counted, ${held} held`);
      for (const part of [input.trie, input.validation]) part.destroy();
      device.trim();
      assert.equal(device.memory.held, 0, `bytes that ${rollout} in ${dtype} leaves for the next stage`);
      device.gpu.destroy();
    }
  });
});

Deno.test("RlPlan.longestStep() is the step whose prompts have the most tokens together", () => {
  const order = (epoch: number) => Uint32Array.from(epoch === 0 ? [0, 1, 2, 3, 4] : [0, 4, 2, 3, 1]);
  const examples = { count: 5, order } as unknown as RlExamples;
  const lengths = Uint32Array.of(9, 1, 5, 5, 8);
  const planOf = (settings: Partial<RlConfig>) =>
    new RlPlan(examples, rlConfig({ promptsPerStep: 2, ...settings }));
  // 10, 10 and 8 tokens in the first epoch, 17, 10 and 1 in the second.
  assert.equal(planOf({ numTrainEpochs: 1 }).longestStep(lengths), 0);
  assert.equal(planOf({ numTrainEpochs: 2 }).longestStep(lengths), 3);
  assert.equal(planOf({ numTrainEpochs: 2, maxSteps: 3 }).longestStep(lengths), 0, "steps that the run has");
});

Deno.test("rehearseRl() returns what checkpoints take in the process, a reference that moves with its file", async () => {
  await withFolder(async (folder) => {
    const savingOf = async (settings: Partial<RlConfig>) => {
      const config = rlConfig({ ...SMALL, promptsPerStep: 1, evalSamples: 1, ...settings });
      const input = await inputOn(await openRehearsal(await tinyDevice()), config);
      const { parameters } = await input.makePolicy();
      const saving = await rehearseRl({ ...input, run: new RunDirectory(folder, config), resume: false });
      return { saving, numbers: parameters.count };
    };
    const bare = { tokensPerBatch: 64, saveSteps: 1, evalSteps: 9 };
    const two = await savingOf({ ...bare, maxSteps: 2 });
    const three = await savingOf({ ...bare, maxSteps: 3 });
    const moving = await savingOf({ ...bare, maxSteps: 2, refModelSyncSteps: 1 });
    const measured = await savingOf({ ...bare, maxSteps: 2, evalSteps: 1 });
    assert.equal(three.saving - two.saving, 24 * two.numbers, "six arrays that are not collected yet");
    assert.equal(moving.saving - two.saving, 8 * two.numbers);
    assert.ok(measured.saving < two.saving, "a validation gives back what the step leaves");
  });
});

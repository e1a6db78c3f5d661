import assert from "node:assert/strict";
import { readSafetensors } from "../../../models/safetensors.ts";
import { loadDecoder } from "../../../train/checkpoint.ts";
import { adapterFreeReference, frozenReference } from "../../../train/rl/reference.ts";
import { tensorsOf } from "../../models/tiny_decoder.ts";
import { logOf, tinyDevice, tinyParent, train, withFolder } from "./tiny_run.ts";

Deno.test("frozenReference() moves by alpha towards the policy, and is put back from its state", async () => {
  const device = await tinyDevice(), folder = await tinyParent();
  const policy = await loadDecoder(device, folder);
  const reference = await frozenReference(device, folder, policy);
  assert.equal(await reference.state(), undefined, "nothing to keep before it moves");
  const before = await tensorsOf(policy);
  const moved = new Map([...before].map(([name, { shape, data }]) => [
    name,
    { shape, data: data.map((value) => value + 1) },
  ]));
  policy.parameters.load(moved, "test");
  await reference.sync(0.75);
  const bytes = (await reference.state())!;
  for (const [name, { data }] of readSafetensors(bytes)) {
    const expected = before.get(name)!.data;
    const worst = Math.max(...data.map((value, i) => Math.abs(value - (expected[i] + 0.75))));
    assert.ok(worst < 1e-6, `${name} is off by ${worst}`);
  }
  await reference.sync(0.75);
  assert.notDeepEqual(await reference.state(), bytes);
  reference.restore(bytes, "test");
  assert.deepEqual(await reference.state(), bytes);
  reference.destroy();
  policy.destroy();
});

Deno.test("adapterFreeReference() cannot move", async () => {
  const policy = await loadDecoder(await tinyDevice(), await tinyParent());
  const reference = adapterFreeReference(policy);
  assert.equal(reference.decoder, policy);
  await assert.rejects(() => reference.sync(0.5), /cannot move/);
  policy.destroy();
});

Deno.test("the KL divergence of adapters from the model below them is 0 at first and grows", async () => {
  await withFolder(async (folder) => {
    const settings = {
      loraR: 2,
      learningRate: 0.02,
      maxSteps: 4,
      loggingSteps: 1,
      evalSteps: 4,
      evalSamples: 4,
    };
    const { run } = await train(`${folder}/run`, { ...settings, addTarget: true });
    const divergences = (await logOf(run)).filter(({ valid }) => !valid).map(({ kl }) => kl);
    assert.ok(divergences[0] < 1e-6 && divergences.at(-1) > 1e-4, `${divergences}`);
  });
});

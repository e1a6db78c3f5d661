import assert from "node:assert/strict";
import { sharedDevice } from "../../../shared_device.ts";
import { readSafetensors } from "../../../../models/safetensors/safetensors.ts";
import { adapterFreeReference, frozenReference } from "../../../../train/rl/policy/reference.ts";
import { tensorsOf, tinyConfig, tinyDecoder } from "../../../models/decoder/tiny.ts";

Deno.test("frozenReference() moves by alpha towards the policy, and is put back from its state", async () => {
  const device = await sharedDevice("texture");
  const policy = tinyDecoder(device, tinyConfig(20, true));
  const { parameters } = policy;
  const reference = frozenReference(tinyDecoder(device, tinyConfig(20, true)), policy);
  assert.equal(await reference.state(), undefined, "nothing to keep before it moves");
  const before = await tensorsOf(policy);
  const moved = new Map([...before].map(([name, { shape, data }]) => [
    name,
    { shape, data: data.map((value) => value + 1) },
  ]));
  parameters.load(moved, "test");
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
  const policy = tinyDecoder(await sharedDevice("texture"), tinyConfig(20, true));
  const reference = adapterFreeReference(policy);
  const used: unknown[] = [];
  reference.use((model) => used.push(model));
  assert.deepEqual(used, [policy]);
  await assert.rejects(() => reference.sync(0.5), /cannot move/);
  policy.destroy();
});

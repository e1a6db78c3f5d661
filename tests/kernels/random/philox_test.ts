import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { philox4x32 as philoxOfData } from "../../../base/philox.ts";
import { randomUniform } from "../../../kernels/random/philox.ts";
import { philox4x32Reference } from "../../../kernels/random/philox_spec.ts";

Deno.test("philox4x32Reference() gives the known answers of Random123", () => {
  const ones = 0xffffffff;
  assert.deepEqual(philox4x32Reference([0, 0, 0, 0], [0, 0]), [
    0x6627e8d5,
    0xe169c58d,
    0xbc57ac4c,
    0x9b00dbd8,
  ]);
  assert.deepEqual(
    philox4x32Reference([ones, ones, ones, ones], [ones, ones]),
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  );
  assert.deepEqual(
    philox4x32Reference([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
});

Deno.test("philox4x32Reference() equals the generator of the data layer", () => {
  for (let i = 0; i < 50; i++) {
    const counter = [i, i * 0x9e3779b1 >>> 0, 0xffffffff - i, i << 20 >>> 0] as const;
    const key = [i * 0x85ebca77 >>> 0, i] as const;
    assert.deepEqual(philox4x32Reference(counter, key), philoxOfData(counter, key));
  }
});

Deno.test("randomUniform() has the bits of philox4x32Reference(), a mean of 1/2 and other numbers in every step", async () => {
  const device = await sharedDevice();
  const seed = device.createFlat("u32", new Uint32Array([0xdeadbeef, 42, 3, 0]));
  const out = device.createFlat("f32", 4096);
  randomUniform(device, seed, 5, out);
  const [first] = await device.read(out);
  const expected = Array.from({ length: 1024 }, (_, i) => philox4x32Reference([i, 5, 3, 0], [0xdeadbeef, 42]))
    .flat();
  assert.deepEqual(Array.from(first, (u) => u * 2 ** 24), expected.map((word) => word >>> 8));
  // Standard error of the mean of 4096 uniforms: 0.2887 / 64 = 0.0045.
  const mean = first.reduce((sum, u) => sum + u, 0) / first.length;
  assert.ok(Math.abs(mean - 0.5) < 4 * 0.0045, `mean ${mean}`);

  device.write(seed, new Uint32Array([0xdeadbeef, 42, 4, 0]));
  randomUniform(device, seed, 5, out);
  const [second] = await device.read(out);
  assert.ok(second.filter((u, i) => u === first[i]).length < 4);
});

Deno.test("randomUniform() refuses a result that is not whole groups of four", async () => {
  const device = await sharedDevice();
  const seed = device.createFlat("u32", 4);
  assert.throws(() => randomUniform(device, seed, 0, device.createFlat("f32", 6)), /6 elements/);
});

import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { dropout } from "../../../kernels/random/dropout.ts";

Deno.test("dropout() drops a tenth, keeps the mean and repeats itself for the same seed and stream", async () => {
  const device = await sharedDevice();
  const seed = device.createFlat("u32", new Uint32Array([1, 2, 3, 0]));
  const x = device.upload(new Float32Array(200 * 100).fill(1), 200, 100);
  await device.scope(async () => {
    const [a, again, other] = await device.read(
      dropout(device, x, seed, 0, 0.1),
      dropout(device, x, seed, 0, 0.1),
      dropout(device, x, seed, 1, 0.1),
    );
    assert.deepEqual(a, again);
    const dropped = a.filter((value) => value === 0).length;
    // Standard deviation of the count: sqrt(20000 * 0.1 * 0.9) = 42.4.
    assert.ok(Math.abs(dropped - 2000) < 4 * 42.4, `${dropped} dropped`);
    const both = a.filter((value, i) => value === 0 && other[i] === 0).length;
    assert.ok(Math.abs(both - 200) < 4 * 14.1, `${both} dropped in both streams, expected about 200`);
    for (const value of a) assert.ok(value === 0 || Math.abs(value - 1 / 0.9) < 1e-5);
  });
});

Deno.test("dropout() throws on a rate of 1", async () => {
  const device = await sharedDevice();
  const seed = device.createFlat("u32", 4);
  const x = device.createMatrix(2, 4);
  device.scope(() =>
    assert.throws(() => dropout(device, x, seed, 0, 1), /rate is 1: expected 0 <= rate < 1/)
  );
});

import assert from "node:assert/strict";
import { Device } from "../../../kernels/gpu/device.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import { openRehearsal } from "../../../kernels/gpu/rehearsal.ts";

/** Works through a product in a scope, uploads and reads back. */
async function work(device: Device): Promise<number[]> {
  const a = device.upload(new Float32Array(30 * 20).fill(1), 30, 20);
  const b = device.createMatrix(20, 10);
  const sums = device.createFlat("f32", 7);
  const [product] = await device.scope(async () => await device.read(matmul(device, a, b), sums));
  device.destroy(b);
  return [product.length];
}

Deno.test("openRehearsal() counts the bytes and dispatches of the device that it is like, and frees them", async () => {
  const device = await Device.open();
  const rehearsal = await openRehearsal(device);
  assert.deepEqual(await work(rehearsal), await work(device));
  assert.deepEqual(rehearsal.memory, device.memory);
  assert.deepEqual(rehearsal.counters, device.counters);
});

Deno.test("openRehearsal() holds a matrix that no machine has room for, and refuses what the adapter does", async () => {
  const device = await Device.open({ layout: "buffer" });
  const rehearsal = await openRehearsal(device);
  const most = Math.floor(device.limits.maxBufferSize / 1024);
  for (let i = 0; i < 1000; i++) rehearsal.createMatrix(most, 256);
  assert.equal(rehearsal.memory.buffers, 1000 * most * 1024);
  assert.throws(() => rehearsal.createMatrix(most + 1, 256), /Cannot allocate matrix/);
});

Deno.test("openRehearsal() of float16 takes half the bytes for matrices", async () => {
  const rehearsal = await openRehearsal(await Device.open({ layout: "buffer" }), "float16");
  rehearsal.createMatrix(64, 8);
  assert.equal(rehearsal.memory.buffers, 64 * 8 * 2);
});

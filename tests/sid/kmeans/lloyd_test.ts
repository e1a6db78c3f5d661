import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import golden from "../../golden/clustering/kmeans.json" with { type: "json" };
import type { Device } from "../../../kernels/gpu/device.ts";
import { openCounting } from "../../../kernels/gpu/rehearsal.ts";
import { fillEmpty, lloyd } from "../../../sid/kmeans/lloyd.ts";
import { PointBlocks } from "../../../sid/kmeans/point_blocks.ts";

const DIM = 12;
const points = Float32Array.from(golden.points.flat());
const init = Float32Array.from(golden.init.flat());

async function run(device: Device, iterations: number) {
  const blocks = new PointBlocks(device, golden.points.length, DIM, golden.init.length);
  blocks.write(points);
  return await lloyd(device, blocks, init, golden.init.length, { iterations, tolerance: 0 });
}

Deno.test("lloyd() follows scikit-learn for six iterations from the same centres", async () => {
  const result = await run(await sharedDevice(), golden.iterations);
  assert.equal(result.iterations, golden.iterations);
  assert.deepEqual([...result.labels], golden.labels);
  const expected = golden.centres.flat();
  result.centres.forEach((value, i) =>
    assert.ok(Math.abs(value - expected[i]) < 1e-5, `centre value ${i} is ${value}, expected ${expected[i]}`)
  );
  assert.ok(Math.abs(result.inertia - golden.inertia) < 1e-6 * golden.inertia);
});

Deno.test("lloyd() gives the same clusters when the points come in blocks of 64", async () => {
  const device = await sharedDevice("texture");
  const { minStorageBufferOffsetAlignment, maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  const limits = { minStorageBufferOffsetAlignment, maxBufferSize, maxStorageBufferBindingSize };
  (device as { limits: unknown }).limits = { ...limits, maxTextureDimension2D: 64 };
  const result = await run(device, golden.iterations);
  assert.deepEqual([...result.labels], golden.labels);
});

Deno.test("lloyd() ends on a device that computes nothing, where its memory is counted", async () => {
  const rehearsal = await openCounting(await sharedDevice());
  const result = await run(rehearsal, 25);
  assert.equal(result.labels.length, golden.points.length);
  assert.ok(rehearsal.memory.peak > 4 * points.length);
});

Deno.test("lloyd() ends early at a fixed point, with labels of the centres it returns", async () => {
  const result = await run(await sharedDevice(), 100);
  assert.ok(result.iterations < 100);
  const again = await run(await sharedDevice(), 100);
  assert.deepEqual(again.centres, result.centres);
  for (let n = 0; n < result.labels.length; n++) {
    const squared = golden.init.map((_, k) => {
      let sum = 0;
      for (let d = 0; d < DIM; d++) sum += (points[n * DIM + d] - result.centres[k * DIM + d]) ** 2;
      return sum;
    });
    assert.equal(result.labels[n], squared.indexOf(Math.min(...squared)));
  }
});

Deno.test("lloyd() tells the error of every iteration once, falling, and the last one is the result's", async () => {
  const device = await sharedDevice();
  const blocks = new PointBlocks(device, golden.points.length, DIM, golden.init.length);
  blocks.write(points);
  const told: [number, number][] = [];
  const options = { iterations: 100, tolerance: 0 };
  const { inertia, iterations } = await lloyd(
    device,
    blocks,
    init,
    golden.init.length,
    options,
    (...pair) => told.push(pair),
  );
  assert.deepEqual(told.map(([iteration]) => iteration), Array.from({ length: iterations + 1 }, (_, i) => i));
  const errors = told.map(([, error]) => error);
  assert.deepEqual(errors, errors.toSorted((a, b) => b - a));
  assert.ok(Math.abs(errors.at(-1)! - inertia) < 1e-6 * inertia);
});

Deno.test("lloyd() refills a cluster that starts out of reach", async () => {
  const device = await sharedDevice();
  const blocks = new PointBlocks(device, 4, 1, 3);
  blocks.write(Float32Array.of(0, 1, 10, 50));
  const { centres, labels, inertia } = await lloyd(device, blocks, Float32Array.of(0, 900, 10), 3, {
    iterations: 10,
    tolerance: 0,
  });
  assert.deepEqual([...centres], [0.5, 50, 10]);
  assert.deepEqual([...labels], [0, 0, 2, 1]);
  assert.equal(inertia, 0.5);
});

Deno.test("fillEmpty() gives empty clusters the farthest points, but none that is alone or on its centre", () => {
  const distances = Float32Array.of(1, 9, 4, 0, 25);
  assert.deepEqual([...fillEmpty(Uint32Array.of(0, 0, 0, 0, 2), distances, 4)], [0, 1, 3, 0, 2]);
  assert.deepEqual([...fillEmpty(Uint32Array.of(0, 0, 0, 0, 0), new Float32Array(5), 2)], [0, 0, 0, 0, 0]);
});

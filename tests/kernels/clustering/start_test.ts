import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { kmeansStart } from "../../../kernels/clustering/start.ts";

/** Rows that kmeansStart() chooses among points on a line. */
async function choose(line: number[], uniforms: number[]): Promise<number[]> {
  const device = await sharedDevice();
  const points = device.upload(Float32Array.from(line), line.length, 1);
  const state = {
    chosen: device.createFlat("u32", uniforms.length + 1),
    weights: device.createFlat("f32", new Float32Array(line.length).fill(1)),
    uniforms: device.createFlat("f32", Float32Array.from(uniforms)),
  };
  kmeansStart(device, points, uniforms.length, state);
  const [count, ...rows] = await device.readU32(state.chosen);
  assert.equal(count, uniforms.length);
  return rows;
}

Deno.test("kmeansStart() draws the first point evenly and the next by squared distance", async () => {
  // From 0 the squared distances are 0, 1, 4, 9, 100: cumulated 0, 1, 5, 14, 114.
  const line = [0, 1, 2, 3, 10];
  assert.deepEqual(await choose(line, [0.19, 0.5 / 114]), [0, 1]);
  assert.deepEqual(await choose(line, [0, 4.9 / 114]), [0, 2]);
  assert.deepEqual(await choose(line, [0, 5.1 / 114]), [0, 3]);
  assert.deepEqual(await choose(line, [0.99, 0.99, 0]), [4, 3, 0]);
});

Deno.test("kmeansStart() uses the distance to the nearest chosen point", async () => {
  // After 0 and 10 the squared distances are 0, 1, 4, 9, 0: cumulated 0, 1, 5, 14.
  assert.deepEqual(await choose([0, 1, 2, 3, 10], [0, 0.99, 0.5]), [0, 4, 3]);
  assert.deepEqual(await choose([0, 1, 2, 3, 10], [0, 0.99, 0.3]), [0, 4, 2]);
});

Deno.test("kmeansStart() never chooses a point twice while another lies elsewhere", async () => {
  const line = Array.from({ length: 300 }, (_, i) => i % 100);
  const rows = await choose(line, Array.from({ length: 100 }, (_, i) => i * 0.618034 % 1));
  assert.equal(new Set(rows.map((row) => line[row])).size, 100);
});

Deno.test("kmeansStart() still chooses rows that exist when all points are alike", async () => {
  const rows = await choose([5, 5, 5], [0.5, 0.999, 0, 1]);
  assert.equal(rows[0], 1);
  assert.ok(rows.every((row) => row < 3));
});

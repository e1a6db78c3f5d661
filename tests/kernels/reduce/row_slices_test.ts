import assert from "node:assert/strict";
import { adamw } from "../../../kernels/optimizer/adamw.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { DeviceError } from "../../../kernels/gpu/device_error.ts";
import {
  embedBackward,
  embedTokensBackward,
  tokenOccurrences,
  tokenRows,
} from "../../../kernels/rows/embedding.ts";
import { gradNorm } from "../../../kernels/optimizer/grad_norm.ts";
import { refresh } from "../../../kernels/rows/refresh.ts";
import { rowSlices } from "../../../kernels/reduce/row_slices.ts";

const LIMIT = 4096;

/** Device that binds no more than 4 KiB: what a weight larger than a binding meets. */
async function narrowDevice(): Promise<Device> {
  const device = await Device.open({ layout: "texture" });
  const { minStorageBufferOffsetAlignment, maxBufferSize, maxTextureDimension2D } = device.limits;
  const limits = {
    minStorageBufferOffsetAlignment,
    maxBufferSize,
    maxTextureDimension2D,
    maxStorageBufferBindingSize: LIMIT,
  };
  (device as { limits: unknown }).limits = limits;
  return device;
}

Deno.test("rowSlices() covers all rows in order, in parts that fit a binding", async () => {
  const device = await narrowDevice();
  const flat = device.createFlat("f32", 300 * 12);
  const slices = rowSlices(device, flat, 300, 12, 4);
  assert.ok(slices.length > 1);
  let next = 0;
  for (const { flat: part, first, rows } of slices) {
    assert.equal(first, next);
    assert.equal(first % 4, 0);
    assert.equal(part.offset, first * 48);
    assert.equal(part.length, rows * 12);
    assert.ok(part.length * 4 <= LIMIT);
    next += rows;
  }
  assert.equal(next, 300);
  assert.equal(rowSlices(device, flat, 300, 12, 4), slices, "the same slices again, or bind groups pile up");
});

Deno.test("rowSlices() of a flat that fits is the flat itself", async () => {
  const device = await narrowDevice();
  const flat = device.createFlat("f32", 100);
  assert.deepEqual(rowSlices(device, flat, 25, 4), [{ flat, first: 0, rows: 25 }]);
});

Deno.test("rowSlices() refuses rows that no binding can hold", async () => {
  const device = await narrowDevice();
  const flat = device.createFlat("f32", 8192);
  assert.throws(() => rowSlices(device, flat, 2, 4096), DeviceError);
});

Deno.test("refresh() fills both twins from a flat that is longer than a binding", async () => {
  const device = await narrowDevice();
  const [rows, cols] = [301, 10];
  const values = Float32Array.from({ length: rows * 12 }, (_, i) => i);
  const [matrix, transposed] = [device.createMatrix(rows, cols), device.createMatrix(cols, rows)];
  refresh(device, device.createFlat("f32", values), rows, cols, matrix, transposed);
  const [m, t] = await device.read(matrix, transposed);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      assert.equal(m[row * cols + col], row * 12 + col);
      assert.equal(t[col * rows + row], row * 12 + col);
    }
  }
});

Deno.test("embedBackward() fills a gradient that is longer than a binding", async () => {
  const device = await narrowDevice();
  const vocabulary = 800;
  const tokens = Uint32Array.of(799, 3, 799, 500);
  const { offsets, rows } = tokenRows(tokens, 4, vocabulary);
  const dy = device.upload(Float32Array.of(1, 2, 10, 20, 100, 200, 7, 8), 4, 2);
  const gradient = device.createFlat("f32", vocabulary * 4);
  const [offsetFlat, rowFlat] = [device.createFlat("u32", offsets), device.createFlat("u32", rows)];
  embedBackward(device, dy, offsetFlat, rowFlat, gradient, false);
  embedBackward(device, dy, offsetFlat, rowFlat, gradient, true);
  const [values] = await device.read(gradient);
  const nonZero = [...values.entries()].filter(([, value]) => value !== 0);
  assert.deepEqual(nonZero, [[12, 20], [13, 40], [2000, 14], [2001, 16], [3196, 202], [3197, 404]]);
});

Deno.test("embedTokensBackward() adds to a gradient that is longer than a binding", async () => {
  const device = await narrowDevice();
  const host = tokenOccurrences(Uint32Array.of(1799, 1003, 1799, 1500, 999, 1800), 6);
  const occurrences = {
    tokens: device.createFlat("u32", host.tokens),
    offsets: device.createFlat("u32", host.offsets),
    rows: device.createFlat("u32", host.rows),
  };
  const dy = device.upload(Float32Array.of(1, 2, 10, 20, 100, 200, 7, 8, 5, 5, 6, 6), 6, 2);
  const gradient = device.createFlat("f32", new Float32Array(800 * 4).fill(1));
  embedTokensBackward(device, dy, occurrences, gradient, { start: 1000, rows: 800 });
  const [values] = await device.read(gradient);
  const changed = [...values.entries()].filter(([, value]) => value !== 1);
  assert.deepEqual(changed, [[12, 11], [13, 21], [2000, 8], [2001, 9], [3196, 102], [3197, 203]]);
});

Deno.test("gradNorm() and adamw() work on arrays that are longer than a binding", async () => {
  const device = await narrowDevice();
  const length = 2501;
  const flat = (value: (i: number) => number) =>
    device.createFlat("f32", Float32Array.from({ length: length + 3 }, (_, i) => value(i)));
  // 2500 gradients of 3 and one of 50: norm 158.1139; what follows the end must not count.
  const gradients = flat((i) => i < 2500 ? 3 : i === 2500 ? 50 : 1e9);
  const state = { values: flat((i) => i), gradients, m: flat(() => 0), v: flat(() => 0) };
  const [scratch, clip] = [device.createFlat("f32", 1024), device.createFlat("f32", 4)];
  gradNorm(device, [device.slice(gradients, 0, length)], scratch, clip, 0);
  // First step: m / (1 - beta1) = g and v / (1 - beta2) = g^2, so each value moves by the learning rate.
  const hyper = device.createFlat("f32", Float32Array.of(0.5, 10, 100, 0));
  const options = { beta1: 0.9, beta2: 0.99, eps: 0, weightDecay: 0.5, decayLength: 2002, length };
  adamw(device, state, hyper, clip, options);
  const [norm, values] = await device.read(clip, state.values);
  assert.ok(Math.abs(norm[0] - Math.sqrt(2500 * 9 + 2500)) < 1e-3);
  for (const i of [0, 1, 1023, 1024, 2001, 2002, 2500]) {
    const expected = i * (i < 2002 ? 0.75 : 1) - 0.5;
    assert.ok(Math.abs(values[i] - expected) < 1e-3, `value ${i} is ${values[i]}, expected ${expected}`);
  }
  assert.equal(values[2501], 2501);
});

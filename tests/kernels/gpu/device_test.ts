import assert from "node:assert/strict";
import { rotary, rotaryTable } from "../../../kernels/elementwise/rotary.ts";
import { add } from "../../../kernels/elementwise/add.ts";
import { sharedDevice } from "../../shared_device.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { padRows } from "../../../kernels/gpu/tensor.ts";
import { DeviceError } from "../../../kernels/gpu/device_error.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import type { Layout, Matrix } from "../../../kernels/gpu/tensor.ts";

for (const layout of ["texture", "buffer"] as Layout[]) {
  Deno.test(`Device.read() gives back what write() took, whatever the padding, ${layout}`, async () => {
    const device = await Device.open({ layout });
    for (const [rows, cols] of [[1, 1], [3, 5], [2, 8], [7, 66]]) {
      const data = Float32Array.from({ length: rows * cols }, (_, i) => i + 0.5);
      const matrix = device.upload(data, rows, cols);
      assert.deepEqual((await device.read(matrix))[0], data);
    }
  });

  Deno.test(`Device.scope() hands the same matrices to the same work, ${layout}`, async () => {
    const device = await Device.open({ layout });
    const x = device.upload(new Float32Array(12).fill(1), 3, 4);
    const work = () =>
      device.scope(() => {
        const y = add(device, x, x);
        return [y, add(device, y, x), add(device, y, y)].map(({ id }) => id);
      });
    const first = work();
    const { allocations, bindGroups } = device.counters;
    assert.deepEqual(work(), first);
    assert.equal(device.counters.allocations, allocations);
    assert.equal(device.counters.bindGroups, bindGroups);
    assert.equal(new Set(first).size, 3);
    await device.settle();
  });
}

Deno.test("Device.readAfter() submits, waits when it is told to, and tells when the device is done", async () => {
  const device = await Device.open();
  const x = device.upload(Float32Array.of(1, 2), 1, 2);
  const events: string[] = [];
  const { submits } = device.counters;
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const later = device.scope(() =>
    device.readAfter(
      { begin: () => begun, onComputed: () => events.push("computed") },
      add(device, x, x),
    ).then(([values]) => events.push(values.join()))
  );
  assert.equal(device.counters.submits, submits + 1);
  assert.deepEqual((await device.read(x))[0], Float32Array.of(1, 2));
  assert.deepEqual(events, []);
  begin();
  await later;
  assert.deepEqual(events, ["computed", "2,4"]);
});

Deno.test("reads in a row give what was there when each was asked for, and leave timers their turn", async () => {
  const device = await Device.open();
  const flat = device.createFlat("f32", 4);
  let ended = false;
  setTimeout(() => ended = true, 20);
  let reads = 0;
  for (const until = Date.now() + 20_000; !ended; reads++) {
    assert.ok(Date.now() < until, `no timer ran beside ${reads} reads`);
    device.write(flat, Float32Array.of(reads, 1, 2, 3));
    const reading = device.read(flat);
    device.write(flat, Float32Array.of(-1, -1, -1, -1));
    assert.deepEqual([...(await reading)[0]], [reads, 1, 2, 3]);
  }
  assert.ok(reads > 0);
  device.gpu.destroy();
});

Deno.test("Device.sibling() has what was compiled, and memory of its own", async () => {
  const device = await Device.open();
  const sum = async (on: Device) => {
    const x = on.upload(Float32Array.of(1, 2, 3, 4), 1, 4);
    return await on.scope(async () => [...(await on.read(add(on, x, x)))[0]]);
  };
  assert.deepEqual(await sum(device), [2, 4, 6, 8]);
  const sibling = device.sibling();
  assert.deepEqual([sibling.memory.buffers, sibling.memory.textures, sibling.layout], [0, 0, device.layout]);
  assert.deepEqual(await sum(sibling), [2, 4, 6, 8]);
  assert.deepEqual([device.counters.pipelines, sibling.counters.pipelines], [1, 0]);
  assert.deepEqual(sibling.memory.peak, device.memory.peak);
  sibling.memoryLimit = 8;
  assert.throws(() => sibling.createMatrix(64, 64), DeviceError);
  device.createMatrix(64, 64);
});

Deno.test("Device.matrix() outside of a scope is refused", async () => {
  const device = await Device.open();
  assert.throws(() => device.matrix(2, 2), /needs an open scope/);
});

Deno.test("Device.keep() takes a matrix out of its scope, and free() makes it available again", async () => {
  const device = await Device.open();
  let kept: Matrix | undefined;
  device.scope(() => {
    kept = device.keep(device.matrix(2, 2));
  });
  device.scope(() => assert.notEqual(device.matrix(2, 2).id, kept!.id));
  device.free(kept!);
  device.scope(() => assert.equal(device.matrix(2, 2).id, kept!.id));
});

Deno.test("Device refuses what the adapter cannot hold and says how much it can", async () => {
  const device = await Device.open({ layout: "texture" });
  const side = device.limits.maxTextureDimension2D;
  assert.throws(
    () => device.createMatrix(side + 1, 4),
    (error) =>
      error instanceof DeviceError && error.message.includes(`(${side + 1}, 4)`) &&
      /smaller batch/.test(error.message),
  );
  const most = device.limits.maxBufferSize;
  assert.throws(() => device.createFlat("f32", most / 4 + 4), /Cannot allocate .* this adapter allows/);
});

Deno.test("a binding over the adapter's limit is refused, never silently cut", async () => {
  const device = await Device.open();
  const limit = device.limits.maxStorageBufferBindingSize;
  if (limit + 1024 > device.limits.maxBufferSize) {
    console.log("skipped: this adapter binds whole buffers");
    return;
  }
  const flat = device.createFlat("f32", limit / 4 + 256);
  const kernel = {
    label: "tests/too_large.wgsl",
    code: `@group(0) @binding(10) var<storage, read_write> x: array<f32>;
      @compute @workgroup_size(1) fn touch() { x[0] = 1; }`,
    entry: "touch",
    inputs: 0,
    outputs: 0,
    flats: ["read_write"] as const,
    params: false,
    workgroup: [1] as const,
  };
  assert.throws(
    () => device.run(kernel, { flats: [flat], invocations: [1] }),
    /Cannot bind .* bytes, this adapter allows/,
  );
  device.destroy(flat);
});

Deno.test("Device.borrow() takes what was given back, of the same length alone", async () => {
  const device = await sharedDevice("texture");
  const [a, b] = [device.borrow(Uint32Array.of(1, 2, 3)), device.borrow(Uint32Array.of(4, 5, 6))];
  assert.notEqual(a.id, b.id);
  device.giveBack(a, b);
  const again = [Uint32Array.of(7, 8, 9), Uint32Array.of(9, 9, 9), Uint32Array.of(1)].map((content) =>
    device.borrow(content)
  );
  assert.deepEqual(again.slice(0, 2).map(({ id }) => id), [a.id, b.id]);
  assert.deepEqual([...await device.readU32(again[0])], [7, 8, 9]);
  assert.equal(again[2].length, 1);
  device.giveBack(...again);
});

for (const layout of ["texture", "buffer"] as Layout[]) {
  Deno.test(`Device.copyRows() copies rows to where they are asked for, and refuses others, ${layout}`, async () => {
    const device = await sharedDevice(layout);
    const from = device.upload(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3);
    const to = device.upload(new Float32Array(12).fill(9), 4, 3);
    device.copyRows(from, to, 1);
    assert.deepEqual([...(await device.read(to))[0]], [9, 9, 9, 1, 2, 3, 4, 5, 6, 9, 9, 9]);
    assert.throws(
      () => device.copyRows(from, to, 3),
      /copyRows\(\) of \(2, 3\) f32 to row 3 of \(4, 3\) f32/,
    );
    [from, to].forEach((matrix) => device.destroy(matrix));
  });
}

Deno.test("results through a staging buffer have the bits of those stored in textures, and keep what is not written", async () => {
  const results: Float32Array[][] = [];
  for (const stagedFrom of [1, Infinity]) {
    const device = await Device.open({ layout: "texture", stagedFrom });
    const before = device.memory.buffers;
    const x = device.upload(Float32Array.from({ length: 37 * 21 }, (_, i) => Math.sin(i)), 37, 21);
    const y = device.upload(Float32Array.from({ length: 21 * 70 }, (_, i) => Math.cos(i)), 21, 70);
    const qkv = device.upload(Float32Array.from({ length: 5 * 48 }, (_, i) => i), 5, 48);
    const positions = device.createFlat("u32", Uint32Array.of(0, 1, 2, 3, 4));
    const table = rotaryTable(device, 5, Float64Array.of(1, 0.5, 0.25, 0.125, 1, 2, 3, 4));
    const shape = { heads: 1, kvHeads: 1, headDim: 16, inverse: false };
    results.push(
      await device.scope(async () =>
        await device.read(matmul(device, x, y), rotary(device, qkv, positions, table, shape))
      ),
    );
    // Rows of 70 columns, 18 groups, are 32 groups apart: 512 bytes.
    assert.equal(device.memory.buffers - before - positions.buffer.size, stagedFrom === 1 ? 37 * 512 : 0);
    device.trim();
    assert.equal(device.memory.buffers - before, positions.buffer.size);
  }
  assert.deepEqual(results[0], results[1]);
  const values = (row: number) => [...results[0][1].subarray(row * 48 + 32, row * 48 + 48)];
  assert.deepEqual(values(4), Array.from({ length: 16 }, (_, i) => 4 * 48 + 32 + i));
});

Deno.test("Device.copyColumns() copies whole groups to the same place, and refuses parts and buffers", async () => {
  const device = await sharedDevice("texture");
  const from = device.upload(Float32Array.from({ length: 24 }, (_, i) => i), 2, 12);
  const to = device.upload(new Float32Array(24).fill(99), 2, 12);
  device.copyColumns(from, to, 4, 4);
  const copied = [4, 5, 6, 7].map((value) => [value, value + 12]);
  const [result] = await device.read(to);
  assert.deepEqual(copied.map((_, i) => [result[4 + i], result[16 + i]]), copied);
  assert.equal(result.filter((value) => value === 99).length, 16);
  assert.throws(
    () => device.copyColumns(from, to, 2, 4),
    /copyColumns\(\) of 4 columns from 2 on of \(2, 12\) to \(2, 12\): expected multiples of 4/,
  );
  const buffers = await sharedDevice("buffer");
  const other = buffers.upload(new Float32Array(24), 2, 12);
  assert.throws(() => buffers.copyColumns(other, other, 0, 4), /expected textures/);
  [from, to].forEach((matrix) => device.destroy(matrix));
  buffers.destroy(other);
});

Deno.test("Device.slice() refuses a start that cannot be bound", async () => {
  const device = await Device.open();
  const flat = device.createFlat("f32", 256);
  if (device.limits.minStorageBufferOffsetAlignment > 4) {
    assert.throws(() => device.slice(flat, 1, 4), /expected a multiple of/);
  }
  assert.equal(device.slice(flat, 64, 4), device.slice(flat, 64, 4));
});

Deno.test("a shader that does not compile is reported with its file", async () => {
  const device = await Device.open();
  const kernel = {
    label: "tests/broken.wgsl",
    code: "@compute @workgroup_size(1) fn broken() { let x: u32 = 1.5; }",
    entry: "broken",
    inputs: 0,
    outputs: 0,
    flats: [],
    params: false,
    workgroup: [1] as const,
  };
  await assert.rejects(async () => {
    device.run(kernel, { invocations: [1] });
    await device.settle();
  }, /broken/);
});

Deno.test("matmul() refuses operands that do not meet, with both shapes", async () => {
  const device = await Device.open();
  const a = device.createMatrix(2, 3);
  const b = device.createMatrix(4, 5);
  assert.throws(
    () => device.scope(() => matmul(device, a, b)),
    /\(2, 3\) and \(4, 5\).*expected a.cols = b.rows/,
  );
});

Deno.test("Device.profile() counts dispatches by kernel", async () => {
  const device = await Device.open();
  if (!device.features.has("timestamp-query")) {
    console.log("skipped: this adapter has no timestamp-query");
    return;
  }
  const x = device.upload(new Float32Array(64).fill(1), 8, 8);
  const rows = await device.profile(() => device.scope(() => add(device, add(device, x, x), x)));
  assert.deepEqual(rows.map(({ entry, count }) => [entry, count]), [["add", 2]]);
  assert.ok(rows[0].milliseconds >= 0);
});

for (const layout of ["texture", "buffer"] as const) {
  Deno.test(`Device.write() replaces rows of a matrix, and refuses what is not whole rows of it, ${layout}`, async () => {
    const device = await Device.open({ layout });
    const matrix = device.upload(Float32Array.from({ length: 15 }, (_, i) => i), 3, 5);
    device.write(matrix, Float32Array.of(-1, -2, -3, -4, -5, -6, -7, -8, -9, -10), 1);
    const [values] = await device.read(matrix);
    assert.deepEqual([...values], [0, 1, 2, 3, 4, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10]);
    const rows = Float32Array.from({ length: 15 }, (_, i) => 1 / (1 + i));
    device.write(matrix, padRows(rows, 3, 5)); // filled up already
    assert.deepEqual([...(await device.read(matrix))[0]], [...rows]);
    assert.throws(() => device.write(matrix, new Float32Array(10), 2), /10 elements into a matrix \(3, 5\)/);
    assert.throws(() => device.write(matrix, new Float32Array(7), 0), RangeError);
    assert.throws(() => device.write(matrix, new Float32Array(10)), RangeError);
    device.destroy(matrix);
  });
}

import assert from "node:assert/strict";
import { add } from "../../../kernels/elementwise/add.ts";
import { addRmsNorm } from "../../../kernels/norm/residual/add_rms.ts";
import { attentionSpec } from "../../../kernels/attention/attention_spec.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { DeviceError } from "../../../kernels/gpu/device_error.ts";
import { GRAD_NORM_SCRATCH, gradNorm } from "../../../kernels/optimizer/grad_norm.ts";
import { MATMUL, matmulAt, matmulBt } from "../../../kernels/matmul/matmul.ts";
import { parseVariants } from "../../../kernels/variant_names.ts";
import { matmulAtSpec, matmulBtSpec, matmulSpec } from "../../../kernels/matmul/matmul_spec.ts";
import { noise } from "../../../kernels/gpu/spec.ts";
import { casesOf, checkBackward, checkForward } from "../../kernel_check.ts";

const half = () => Device.open({ dtype: "float16" });

Deno.test("float16 matrices come back rounded to nearest even, whatever the padding", async () => {
  const device = await half();
  for (const [rows, cols] of [[1, 1], [3, 5], [2, 8], [7, 66]]) {
    const data = Float32Array.from({ length: rows * cols }, noise(cols));
    const [back] = await device.read(device.upload(data, rows, cols));
    assert.deepEqual(back, data.map(Math.f16round));
  }
  const ties = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -24, 2 ** -25, 65519, 65520);
  const [back] = await device.read(device.upload(ties, 1, 6));
  assert.deepEqual([...back], [1, 1 + 2 ** -9, 2 ** -24, 0, 65504, Infinity]);
});

Deno.test("kernels round float16 as the host does, and what is too large becomes infinite", async () => {
  const device = await half();
  const a = [1, 1, 2 ** -24, 60000, -60000, 65504, 0.1];
  const b = [2 ** -11, 3 * 2 ** -11, 0, 60000, -60000, 0, 1e-5];
  const [x, y] = [a, b].map((data) => device.upload(Float32Array.from(data), 1, 7));
  await device.scope(async () => {
    const [sum] = await device.read(add(device, x, y));
    const expected = a.map((value, i) => Math.f16round(Math.f16round(value) + Math.f16round(b[i])));
    assert.deepEqual([...sum], expected);
    assert.equal(sum[3], Infinity);
    assert.equal(sum[4], -Infinity);
  });
});

Deno.test("a float16 overflow reaches the norm of the gradients as not finite", async () => {
  const device = await half();
  const dy = device.upload(Float32Array.of(300, 300, 300, 300), 2, 2);
  const x = device.upload(Float32Array.of(300, 300, 300, 300), 2, 2);
  const [gradient, scratch, norm] = [8, GRAD_NORM_SCRATCH, 4].map((length) =>
    device.createFlat("f32", length)
  );
  const finite = async () => {
    gradNorm(device, [gradient], scratch, norm, 1);
    return (await device.read(norm))[0][2] === 0;
  };
  await device.scope(async () => {
    matmulAt(device, dy, x, gradient, false); // 180000 an element, in float32
    assert.ok(await finite());
    const product = matmulBt(device, dy, x); // 180000 in float16
    matmulAt(device, product, x, gradient, false);
    assert.ok(!await finite());
  });
});

Deno.test("float16 halves the bytes of matrices and leaves flats as they are", async () => {
  const device = await half();
  assert.equal(device.layout, "buffer");
  const before = device.memory.buffers;
  const matrix = device.createMatrix(100, 30); // 8 groups of 4 a row
  assert.equal(device.memory.buffers - before, 100 * 8 * 8);
  const wide = device.createMatrix(100, 30, "f32");
  assert.equal(device.memory.buffers - before, 100 * 8 * 24);
  device.destroy(matrix);
  device.destroy(wide);
  const flat = device.createFlat("f32", 100);
  assert.equal(device.memory.buffers - before, 400);
  device.destroy(flat);
  assert.equal(device.memory.buffers, before);
});

Deno.test("float32 and float16 operands of one kernel: each is read and written as what it is", async () => {
  const device = await half();
  const write = (dtype: "f32" | "f16", data: number[]) => {
    const matrix = device.matrix(1, data.length, dtype);
    device.write(matrix, Float32Array.from(data));
    return matrix;
  };
  await device.scope(async () => {
    const wide = write("f32", [70000.5, 1e-6, 3, -1e6, 0.1]);
    const narrow = write("f16", [0.5, 1, 3, 1, -1]);
    const sums = [add(device, wide, narrow), add(device, narrow, wide), add(device, narrow, narrow)];
    assert.deepEqual(sums.map(({ dtype }) => dtype), ["f32", "f32", "f16"]);
    const [first, second, third] = await device.read(...sums);
    const expected = [70001, 1 + 1e-6, 6, -999999, -0.9].map(Math.fround);
    expected.forEach((value, i) => assert.ok(Math.abs(first[i] - value) <= 1e-7 * Math.abs(value)));
    assert.deepEqual(second, first);
    assert.deepEqual([...third], [1, 2, 6, 2, -2]);
  });
});

Deno.test("a residual stream grows past what float16 can hold, and its norm is right", async () => {
  const device = await half();
  const [y, gain] = [[60000, 30000, 0, -60000], [1, 1, 1, 1]].map((data) =>
    device.upload(Float32Array.from(data), 1, 4)
  );
  await device.scope(async () => {
    const first = addRmsNorm(device, y, y, gain, 0);
    const second = addRmsNorm(device, first.sum, y, gain, 0);
    const [sum, normed] = await device.read(second.sum, second.normed);
    assert.deepEqual([...sum], [180000, 90000, 0, -180000]);
    [4 / 3, 2 / 3, 0, -4 / 3].forEach((value, i) => assert.ok(Math.abs(normed[i] - value) < 1e-3));
    assert.equal(matmulBt(device, y, gain, { addend: device.matrix(1, 1, "f32") }).dtype, "f32");
  });
});

Deno.test("float16 in textures is refused, and flats are not seen as float16 matrices", async () => {
  await assert.rejects(
    Device.open({ layout: "texture", dtype: "float16" }),
    (error) => error instanceof DeviceError && /cannot read textures of float16/.test(error.message),
  );
  const device = await half();
  assert.equal(device.viewsFlats, false);
  assert.throws(() => device.asMatrix(device.createFlat("f32", 64), 8, 8), /copy it with refresh\(\)/);
  const plain = await Device.open({ layout: "buffer" });
  assert.equal(plain.viewsFlats, true);
  plain.asMatrix(plain.createFlat("f32", 64), 8, 8);
});

Deno.test("choices that were tuned in float32 do not serve float16", async () => {
  const keysOf = async (dtype: "float32" | "float16") => {
    const device = await Device.open({ layout: "buffer", dtype });
    const keys: string[] = [];
    device.variants.useStore({ get: () => undefined, set: (key) => keys.push(key) });
    device.variants.of(MATMUL, { form: "ab", rows: 8, cols: 8, inner: 8 });
    for (const shape of device.variants.untuned(MATMUL)) device.variants.adopt(MATMUL, shape, "tiles");
    return keys;
  };
  const [wide, narrow] = [await keysOf("float32"), await keysOf("float16")];
  assert.equal(wide.length, 1);
  assert.notDeepEqual(wide, narrow);
});

Deno.test("variants for GPUs in float16 equal their references", async () => {
  const device = await Device.open({
    dtype: "float16",
    ...parseVariants("matmul=shared,attention=shared"),
  });
  for (const spec of [matmulSpec, matmulBtSpec, matmulAtSpec]) {
    for (const kernelCase of casesOf(spec).slice(-1)) await checkForward(device, spec, kernelCase);
  }
  const [packed] = attentionSpec.cases();
  await checkForward(device, attentionSpec, packed);
  await checkBackward(device, attentionSpec, packed);
});

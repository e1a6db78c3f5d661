import assert from "node:assert/strict";
import { kernelRows } from "../../../bench/gpu/kernel_rows.ts";
import { peakRatesOf } from "../../../bench/gpu/peaks.ts";
import { rooflineTime } from "../../../bench/gpu/roofline.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { sharedDevice } from "../../shared_device.ts";

Deno.test("rooflineTime() is the longer of arithmetic and bytes", () => {
  const peaks = { f32: 10e12, bandwidth: 500e9 };
  assert.deepEqual(rooflineTime({ flops: 20e9, bytes: 5e8 }, peaks), { seconds: 2e-3, bound: "arithmetic" });
  assert.deepEqual(rooflineTime({ flops: 1e9, bytes: 5e8 }, peaks), { seconds: 1e-3, bound: "memory" });
  const both = { ...peaks, f16: 20e12 };
  assert.deepEqual(rooflineTime({ flops: 40e9, bytes: 5e8 }, both, "f16"), {
    seconds: 2e-3,
    bound: "arithmetic",
  });
  assert.equal(rooflineTime({ flops: 1, bytes: 1 }, peaks, "f16"), undefined, "no peak of float16 is known");
});

Deno.test("peakRatesOf() knows adapters by their names, and none that is not in the table", () => {
  assert.equal(peakRatesOf("NVIDIA H200")!.bandwidth, 4.8e12);
  assert.equal(peakRatesOf("NVIDIA A100-SXM4-80GB")!.bandwidth, 2.039e12);
  assert.equal(peakRatesOf("NVIDIA A100-PCIE-40GB")!.bandwidth, 1.555e12);
  assert.equal(peakRatesOf("Tesla T4")!.f32, 8.1e12);
  assert.equal(peakRatesOf("NVIDIA L40S")!.f32, 91.6e12);
  assert.equal(peakRatesOf("NVIDIA L4")!.f32, 30.3e12);
  assert.equal(peakRatesOf("llvmpipe (LLVM 15.0.6, 256 bits)"), undefined);
});

Deno.test("kernelRows() counts what each kernel has to do", async () => {
  const rows = kernelRows(await sharedDevice("buffer"), 64);
  const workOf = (name: string) => rows.find((row) => row.name.startsWith(name))!.work;
  // 64 sums of 64 products a row of 64; three matrices of 64 x 64 numbers of four bytes.
  assert.deepEqual(workOf("matmul ab 64x64x64"), { flops: 2 * 64 ** 3, bytes: 3 * 64 * 64 * 4 });
  // 256 queries see 1 to 64 keys, 32.5 in the mean; 8 heads of 64 numbers, 2 FLOPs each for scores and for values.
  const attention = workOf("attention forward");
  assert.equal(attention.flops, 4 * 256 * 32.5 * 8 * 64);
  assert.equal(attention.bytes, 4 * 256 * (12 * 64 + 8 * 64));
  // 64 prompts of 63 tokens, each with 50 beams of one token; 2 heads of keys and values.
  assert.deepEqual(workOf("path-attention"), {
    flops: 4 * 3200 * 64 * 8 * 64,
    bytes: 4 * 64 * (3200 * (8 + 8 + 2 + 2) + 64 * 63 * (2 + 2)),
  });
  assert.deepEqual(workOf("add"), { flops: 256 * 1024, bytes: 3 * 256 * 1024 * 4 });
  const products = rows.filter(({ name }) => name === "matmul ab 64x64x64");
  assert.ok(products.length >= 4 && new Set(products.map(({ variant }) => variant)).size === products.length);
  assert.ok(products.every(({ arithmetic }) => arithmetic === "f32"));
});

Deno.test("kernelRows() counts half the bytes of float16, and knows which products compute in it", async (t) => {
  const device = await Device.open({ dtype: "float16" });
  const products = kernelRows(device, 64).filter(({ name }) => name === "matmul ab 64x64x64");
  assert.ok(products.every(({ work }) => work.bytes === 3 * 64 * 64 * 2));
  const inHalf = products.filter(({ arithmetic }) => arithmetic === "f16").map(({ variant }) => variant);
  const has = device.features.has("shader-f16");
  await t.step({
    name: "with shader-f16",
    ignore: !has,
    fn: () => assert.deepEqual(inHalf, ["shared-half", "shared-large-half"]),
  });
});

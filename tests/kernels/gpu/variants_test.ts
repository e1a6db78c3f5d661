import assert from "node:assert/strict";
import { ATTENTION } from "../../../kernels/attention/attention.ts";
import { attentionSpec } from "../../../kernels/attention/attention_spec.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { DeviceError } from "../../../kernels/gpu/device_error.ts";
import { MATMUL, matmul, matmulBt } from "../../../kernels/matmul/matmul.ts";
import { sharedSmallVariant, sharedVariant } from "../../../kernels/matmul/shared/shared.ts";
import { tilesVariant } from "../../../kernels/matmul/registers/tiles.ts";
import { rowsVariant } from "../../../kernels/attention/registers.ts";
import { sharedAttentionVariant } from "../../../kernels/attention/shared/shared.ts";
import { matmulAtSpec, matmulBtSpec, matmulSpec } from "../../../kernels/matmul/matmul_spec.ts";
import { type KernelSpec, matrixOf, noise, type Values } from "../../../kernels/gpu/spec.ts";
import type { Layout, Matrix } from "../../../kernels/gpu/tensor.ts";
import { bucket, haveOf, Variants } from "../../../kernels/gpu/variants.ts";
import { describeVariants, parseVariants } from "../../../kernels/variant_names.ts";
import { casesOf, checkBackward, checkForward } from "../../kernel_check.ts";

for (const layout of ["texture", "buffer"] as Layout[]) {
  Deno.test(`variants in ${layout} layout`, async (t) => {
    const device = await Device.open({ layout });
    for (const { name } of device.variants.candidates(MATMUL)) {
      device.variants.pin(MATMUL, name);
      await t.step(`matmul ${name} equals the reference in all three forms`, async () => {
        for (const spec of [matmulSpec, matmulBtSpec, matmulAtSpec]) {
          for (const kernelCase of casesOf(spec)) await checkForward(device, spec, kernelCase);
        }
      });
      await t.step(`matmul ${name} equals the reference over several tiles`, async () => {
        const next = noise(7);
        // Two tiles of 128 a side and one step more than whole tiles of the contraction.
        const [m, n, k] = [150, 138, 37];
        const bias = matrixOf(1, n, next);
        const attributes = { activation: "none" } as const;
        const ab = { a: matrixOf(m, k, next), b: matrixOf(k, n, next), bias };
        await checkForward(device, matmulSpec, { name: "tiles", inputs: ab, attributes });
        const abt = { a: matrixOf(m, k, next), b: matrixOf(n, k, next), bias };
        await checkForward(device, matmulBtSpec, { name: "tiles", inputs: abt, attributes });
        const atb = { a: matrixOf(k, m, next), b: matrixOf(k, n, next) };
        await checkForward(device, matmulAtSpec, { name: "tiles", inputs: atb, attributes });
      });
      await t.step(`matmul ${name} uses the part of B that it is told to`, async () => {
        const next = noise(8);
        const inputs = { a: matrixOf(9, 6, next), b: matrixOf(20, 90, next), c: matrixOf(90, 6, next) };
        await checkForward(device, partsSpec, { name: "parts", inputs, attributes: undefined });
      });
    }
    device.variants.pin(MATMUL, undefined);
    for (const { name } of device.variants.candidates(ATTENTION)) {
      device.variants.pin(ATTENTION, name);
      await t.step(`attention ${name} equals the reference, forward and backward`, async () => {
        for (const kernelCase of casesOf(attentionSpec)) {
          await checkForward(device, attentionSpec, kernelCase);
          await checkBackward(device, attentionSpec, kernelCase);
        }
      });
    }
  });
}

/** Columns 8..79 of B, rows 5..10 of B, and rows 3..75 of C as the columns of its transpose. */
const partsSpec: KernelSpec<undefined> = {
  name: "matmul of a part",
  cases: () => [],
  reference: ({ a, b, c }) => ({
    columns: matmulOf(a, part(b, 5, 6, 8, 72)),
    rows: matmulOf(a, transposed(part(c, 3, 73, 0, 6))),
  }),
  forward: (device, { a, b, c }) => ({
    columns: matmul(device, a as Matrix, b as Matrix, { columns: { start: 8, count: 72 }, rowStart: 5 }),
    rows: matmulBt(device, a as Matrix, c as Matrix, { columns: { start: 3, count: 73 } }),
  }),
};

function matmulOf(a: Values, b: Values): Values {
  const bias = matrixOf(1, b.cols, () => 0);
  return matmulSpec.reference({ a, b, bias }, { activation: "none" }).c;
}

function part(x: Values, row: number, rows: number, col: number, cols: number): Values {
  return matrixOf(rows, cols, (r, c) => x.data[(row + r) * x.cols + col + c]);
}

function transposed(x: Values): Values {
  return matrixOf(x.cols, x.rows, (r, c) => x.data[c * x.cols + r]);
}

Deno.test("Variants serves tiles as wide as vectors are and pairs on CPU adapters, shared ones on GPUs", () => {
  const shape = { heads: 4, kvHeads: 4, headDim: 32 };
  const cpu = new Variants("cpu", true);
  assert.equal(cpu.of(MATMUL, { form: "ab", rows: 64, cols: 64, inner: 64 }).name, "tiles");
  assert.equal(cpu.of(ATTENTION, { ...shape, pass: "forward", rows: 64 }).name, "pairs");
  const wide = new Variants("cpu", true, [], haveOf(new Set(), "f32", "llvmpipe (LLVM 15.0.6, 512 bits)"));
  assert.equal(wide.of(MATMUL, { form: "ab", rows: 64, cols: 64, inner: 64 }).name, "tiles-16");
  assert.equal(wide.describe(MATMUL).at(-1)!.variant, "tiles-16");
  const gpu = new Variants("gpu", false);
  assert.equal(gpu.of(MATMUL, { form: "ab", rows: 64, cols: 64, inner: 64 }).name, "shared");
  assert.equal(gpu.of(ATTENTION, { ...shape, pass: "forward", rows: 64 }).name, "shared");
});

Deno.test("Variants serves an operation that only its caller knows", () => {
  const [plain, fast] = [{ name: "plain" }, { name: "fast" }];
  const sort = {
    name: "sort",
    variants: [plain, fast],
    defaultOf: (isCpu: boolean) => isCpu ? plain : fast,
    classOf: (length: number) => bucket(length),
    className: (length: number) => `up to ${2 ** bucket(length)}`,
  };
  const kept: string[] = [];
  const variants = new Variants("gpu", false);
  variants.useStore({ get: () => undefined, set: (...choice) => kept.push(choice.join(": ")) });
  assert.equal(variants.of(sort, 5), fast);
  variants.adopt(sort, 5, "plain");
  assert.equal(variants.of(sort, 8), plain);
  assert.equal(variants.of(sort, 9), fast);
  assert.deepEqual(kept, ["gpu | sort up to 8: plain"]);
  assert.deepEqual(variants.untuned(sort), [9]);
  assert.deepEqual(variants.describe(sort).map(({ shape, variant, why }) => [shape, variant, why]), [
    ["up to 8", "plain", "tuned"],
    ["up to 16", "fast", "default"],
    ["others", "fast", "default"],
  ]);
  assert.throws(() => variants.pin(sort, "quick"), {
    message: 'Cannot find variant "quick" of sort: expected one of plain, fast',
  });
});

Deno.test("Variants puts sizes up to the same power of two in one class", () => {
  const variants = new Variants("gpu", false);
  for (const rows of [1025, 1500, 2048, 2049]) variants.of(MATMUL, { form: "ab", rows, cols: 256, inner: 1 });
  assert.deepEqual(variants.untuned(MATMUL).map((shape) => MATMUL.className(shape)), [
    "ab 2048x256x1",
    "ab 4096x256x1",
  ]);
});

Deno.test("Variants takes stored choices for classes seen before and after, and forgets unknown names", () => {
  const stored: Record<string, string> = {
    "gpu | matmul ab 64x64x64": "shared-small",
    "gpu | matmul abt 64x64x64": "shared-large",
    "gpu | matmul atb 64x64x64": "of an older version",
  };
  const variants = new Variants("gpu", false);
  assert.equal(variants.of(MATMUL, { form: "ab", rows: 64, cols: 64, inner: 64 }).name, "shared");
  variants.useStore({ get: (key) => stored[key], set: (key, value) => void (stored[key] = value) });
  assert.equal(variants.of(MATMUL, { form: "ab", rows: 64, cols: 64, inner: 64 }).name, "shared-small");
  assert.equal(variants.of(MATMUL, { form: "abt", rows: 64, cols: 64, inner: 64 }).name, "shared-large");
  assert.equal(variants.of(MATMUL, { form: "atb", rows: 64, cols: 64, inner: 64 }).name, "shared");
  assert.deepEqual(variants.untuned(MATMUL).map((shape) => MATMUL.className(shape)), ["atb 64x64x64"]);
});

Deno.test("describeVariants() names the layout, each operation's variant and why it serves", async () => {
  const device = await Device.open({
    layout: "buffer",
    variants: [{ operation: MATMUL, variant: sharedSmallVariant }],
  });
  const usual = device.isCpu ? "pairs" : "shared";
  assert.deepEqual(describeVariants(device), [
    { operation: "layout", shape: "all", variant: "buffer", why: device.isCpu ? "override" : "default" },
    { operation: "matmul", shape: "all", variant: "shared-small", why: "override" },
    { operation: "attention", shape: "all", variant: usual, why: "default" },
    { operation: "path-attention", shape: "all", variant: "invocation", why: "default" },
    { operation: "norm", shape: "all", variant: "invocation", why: "default" },
    { operation: "residual-norm", shape: "all", variant: "invocation", why: "default" },
    { operation: "log-sum", shape: "all", variant: "invocation", why: "default" },
    {
      operation: "softmax",
      shape: "all",
      variant: device.isCpu ? "invocation" : "workgroup",
      why: "default",
    },
    { operation: "top-k", shape: "all", variant: device.isCpu ? "invocation" : "workgroup", why: "default" },
  ]);
});

Deno.test("parseVariants() reads pairs, and names alone for every operation that has them", () => {
  assert.deepEqual(parseVariants("matmul=shared, attention=rows, layout=buffer"), {
    layout: "buffer",
    variants: [
      { operation: MATMUL, variant: sharedVariant },
      { operation: ATTENTION, variant: rowsVariant },
    ],
  });
  assert.deepEqual(parseVariants("shared"), {
    variants: [
      { operation: MATMUL, variant: sharedVariant },
      { operation: ATTENTION, variant: sharedAttentionVariant },
    ],
  });
  assert.deepEqual(parseVariants("tiles,texture"), {
    layout: "texture",
    variants: [{ operation: MATMUL, variant: tilesVariant }],
  });
  assert.deepEqual(parseVariants(""), { variants: [] });
});

Deno.test("parseVariants() names the known variants when one is unknown", () => {
  const known =
    "matmul=tiles|tiles-block|tiles-16|block|shared|shared-small|shared-large|shared-half|shared-large-half, " +
    "attention=rows|pairs|quads|shared|subgroups|shared-half, path-attention=invocation|subgroups, " +
    "norm=invocation|subgroups, residual-norm=invocation|subgroups, log-sum=invocation|subgroups, softmax=invocation|workgroup|subgroups, " +
    "top-k=invocation|workgroup|subgroups, " +
    "layout=texture|buffer";
  for (const text of ["fast", "matmul=rows", "softmax=tiles", "matmul="]) {
    assert.throws(() => parseVariants(text), (error: Error) => {
      assert.ok(error instanceof DeviceError);
      assert.equal(
        error.message,
        `Cannot use variant "${text}": expected ${known}, or a name alone such as "shared"`,
      );
      return true;
    });
  }
});

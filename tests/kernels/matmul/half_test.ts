// Products in float16 arithmetic, where the device has it, against float64 references.
import assert from "node:assert/strict";
import { autotune } from "../../../kernels/autotune.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { noise, type Values } from "../../../kernels/gpu/spec.ts";
import type { Matrix } from "../../../kernels/gpu/tensor.ts";
import { MATMUL, matmul, matmulAt, matmulBt } from "../../../kernels/matmul/matmul.ts";
import { sharedHalfVariant } from "../../../kernels/matmul/shared/shared.ts";
import { matmulAtSpec, matmulBtSpec, matmulSpec } from "../../../kernels/matmul/matmul_spec.ts";
import { sharedDevice } from "../../shared_device.ts";

const NAMES = ["shared-half", "shared-large-half"];
/** Half the distance from 1 to the next number of float16, and half the smallest number. */
const [ROUNDING, UNDERFLOW] = [2 ** -11, 2 ** -25];

const half = await Device.open({ dtype: "float16" });
const ignore = !half.features.has("shader-f16");
if (ignore) console.error("Products in float16 are not checked: this adapter has no shader-f16");

function served(name: string): Device {
  return half.sibling([{ operation: MATMUL, variant: MATMUL.variants.find((v) => v.name === name)! }]);
}

function stored(rows: number, cols: number, value: () => number): Values {
  const data = Float64Array.from({ length: rows * cols }, () => Math.f16round(value()));
  return { kind: "matrix", rows, cols, data };
}

function upload(device: Device, { data, rows, cols }: Values): Matrix {
  return device.upload(Float32Array.from(data), rows, cols);
}

const FORMS = [
  { spec: matmulSpec, operands: (m: number, n: number, k: number) => [[m, k], [k, n]] },
  { spec: matmulBtSpec, operands: (m: number, n: number, k: number) => [[m, k], [n, k]] },
  { spec: matmulAtSpec, operands: (m: number, n: number, k: number) => [[k, m], [k, n]] },
];

/**
 * Most that a sum may be off. A term is rounded as a product, in three additions to its three neighbours and in that of
 * two fours; the sum of eights in float32 is next to exact; the result is rounded once more where it is stored. A
 * product below the normal numbers is off by half the smallest. Absolute operands give the sum of absolute terms.
 */
function largestError(absolute: number, expected: number, inner: number): number {
  return 1.01 * (5 * ROUNDING * absolute + ROUNDING * Math.abs(expected)) + (inner + 1) * UNDERFLOW;
}

Deno.test({
  name: "a product in float16 is off by no more than five roundings of its terms",
  ignore,
  async fn() {
    for (const name of NAMES) {
      const device = served(name);
      for (const { spec, operands } of FORMS) {
        // The last has two tiles of 128 a side, and five terms more than whole eights.
        for (const [m, n, k] of [[1, 1, 1], [5, 7, 3], [33, 21, 17], [150, 138, 37]]) {
          const next = noise(m + n + k);
          const [a, b] = operands(m, n, k).map(([rows, cols]) => stored(rows, cols, next));
          const bias = stored(1, n, () => 0);
          const attributes = { activation: "none" } as const;
          const absolute = (x: Values) => ({ ...x, data: x.data.map(Math.abs) });
          const { c: expected } = spec.reference({ a, b, bias }, attributes);
          const { c: terms } = spec.reference({ a: absolute(a), b: absolute(b), bias }, attributes);
          await device.scope(async () => {
            const inputs = { a: upload(device, a), b: upload(device, b), bias: upload(device, bias) };
            const [actual] = await device.read(spec.forward(device, inputs, attributes).c);
            assert.equal(actual.length, expected.data.length);
            expected.data.forEach((value, i) => {
              const error = Math.abs(actual[i] - value);
              const most = largestError(terms.data[i], value, k);
              assert.ok(error <= most, `${name} ${spec.name} ${m} x ${n} x ${k} [${i}]: ${error} > ${most}`);
            });
          });
        }
      }
    }
  },
});

/** A^T B with one column each, which is stored in float32: the sum of these products. */
async function dot(device: Device, a: number[], b: number[]): Promise<number> {
  return await device.scope(async () => {
    const [x, y] = [a, b].map((data) => device.upload(Float32Array.from(data), data.length, 1));
    const sum = device.createFlat("f32", 4);
    matmulAt(device, x, y, sum, false);
    return (await device.read(sum))[0][0];
  });
}

Deno.test({
  name: "eight terms are added in float16, eights in float32",
  ignore,
  async fn() {
    for (const name of NAMES) {
      const device = served(name);
      const terms = (place: number) => Array.from({ length: 16 }, (_, i) => i === 0 ? 2048 : +(i === place));
      const ones = Array(16).fill(1);
      assert.equal(await dot(device, terms(7), ones), 2048, "float16 has no 2049");
      assert.equal(await dot(device, terms(8), ones), 2049);
    }
  },
});

Deno.test({
  name: "sums that float16 cannot hold are what float32 makes of them",
  ignore,
  async fn() {
    for (const name of NAMES) {
      const device = served(name);
      assert.equal(await dot(device, [300, 300], [300, 300]), 180000);
      assert.equal(await dot(device, [65504, 65504], [65504, 65504]), 2 * 65504 ** 2);
      assert.equal(await dot(device, [300, 300, 3], [300, -300, 1]), 3, "not infinity less infinity");
      assert.ok(Number.isNaN(await dot(device, [Infinity, 1], [0, 1])));
      assert.equal(await dot(device, [Infinity, 1], [1, 1]), Infinity);
      await device.scope(async () => {
        // 40000 + 40000 - 40000, in every row of several tiles.
        const a = device.upload(new Float32Array(3 * 140).fill(200), 140, 3);
        const b = device.upload(Float32Array.of(200, 200, -200), 1, 3);
        const [c] = await device.read(matmulBt(device, a, b));
        assert.deepEqual([...c], Array(140).fill(40000));
      });
    }
  },
});

Deno.test({
  name: "a float32 operand is multiplied in float32, and no row gives no row",
  ignore,
  async fn() {
    const device = served("shared-half");
    await device.scope(async () => {
      const wide = device.matrix(1, 4, "f32");
      device.write(wide, Float32Array.of(70000, 1e-7, 3, 0.1));
      const b = device.upload(Float32Array.of(0.5, 0, 0, 0, 0, 1, 0, 0), 2, 4);
      const sum = matmulBt(device, wide, b, { addend: device.matrix(1, 2, "f32") });
      const [c] = await device.read(sum);
      assert.deepEqual([...c], [35000, Math.fround(1e-7)]);
      const none = matmul(device, device.matrix(0, 4), device.matrix(4, 8));
      assert.deepEqual([none.rows, none.cols], [0, 8]);
      await device.settle();
    });
  },
});

Deno.test("float32 storage has no products in float16: neither tuned, nor kept, nor asked for", async () => {
  const device = (await sharedDevice("buffer")).sibling();
  const offered = device.variants.candidates(MATMUL).map(({ name }) => name);
  assert.ok(offered.includes("shared"));
  assert.deepEqual(offered.filter((name) => NAMES.includes(name)), []);
  assert.throws(() => device.variants.pin(MATMUL, sharedHalfVariant.name), {
    message:
      /^Cannot use variant "shared-half" of matmul: this device has no (shader-f16 and no )?float16 storage\. /,
  });
});

Deno.test({
  name: "the tuner times products in float16 beside the others",
  ignore,
  async fn() {
    const device = half.sibling();
    device.variants.of(MATMUL, { form: "abt", rows: 40, cols: 24, inner: 12 });
    const lines: string[] = [];
    await autotune(device, new Map(), { budget: 0.001, log: (line) => lines.push(line) });
    assert.equal(lines.length, 1, lines.join("\n"));
    for (const name of NAMES) assert.match(lines[0], new RegExp(`\\b${name} \\d+ us`));
  },
});

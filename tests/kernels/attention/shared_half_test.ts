// Attention in float16 arithmetic, where the device has it, against float64 references.
import assert from "node:assert/strict";
import { ATTENTION, attention, qkvColumns } from "../../../kernels/attention/attention.ts";
import { attentionSpec } from "../../../kernels/attention/attention_spec.ts";
import { autotune } from "../../../kernels/autotune.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import type { Matrix } from "../../../kernels/gpu/tensor.ts";
import { casesOf, checkBackward } from "../../kernel_check.ts";
import { sharedDevice } from "../../shared_device.ts";

const NAME = "shared-half";
/** Half the distance from 1 to the next number of float16, and half the smallest number. */
const [ROUNDING, UNDERFLOW] = [2 ** -11, 2 ** -25];

const half = await Device.open({ dtype: "float16" });
const ignore = !half.features.has("shader-f16");
if (ignore) console.error("Attention in float16 is not checked: this adapter has no shader-f16");

function served(): Device {
  return half.sibling([{ operation: ATTENTION, variant: ATTENTION.variants.find((v) => v.name === NAME)! }]);
}

Deno.test({
  name: "attention in float16 is off by no more than four roundings of each product, and one of each weight",
  ignore,
  async fn() {
    const device = served();
    for (const { name, inputs, attributes: shape } of casesOf(attentionSpec)) {
      const { heads, kvHeads, headDim } = shape;
      const columns = qkvColumns(shape);
      const qkv = { ...inputs.qkv, data: inputs.qkv.data.map(Math.f16round) };
      const at = (row: number, column: number) => qkv.data[row * qkv.cols + column];
      const sum = (terms: number, value: (i: number) => number) =>
        Array.from({ length: terms }, (_, i) => value(i)).reduce((a, b) => a + b, 0);
      const [actual] = await device.scope(() => {
        const operands = {
          qkv: device.upload(Float32Array.from(qkv.data), qkv.rows, qkv.cols),
          intervals: device.createFlat("u32", Uint32Array.from(inputs.intervals.data)),
        };
        return device.read(attentionSpec.forward(device, operands, shape).o);
      });
      for (let i = 0; i < qkv.rows; i++) {
        const [s0, e0, s1, e1] = inputs.intervals.data.subarray(4 * i, 4 * i + 4);
        const seen = Array.from({ length: qkv.rows }, (_, j) => j)
          .filter((j) => (j >= s0 && j < e0) || (j >= s1 && j < e1));
        for (let h = 0; h < heads; h++) {
          const kv = Math.floor(h * kvHeads / heads) * headDim;
          const product = (j: number, c: number) =>
            at(i, columns.q + h * headDim + c) * at(j, columns.k + kv + c) / Math.sqrt(headDim);
          const scores = seen.map((j) => sum(headDim, (c) => product(j, c)));
          const off = seen.map((j) =>
            4 * ROUNDING * sum(headDim, (c) => Math.abs(product(j, c))) + 4 * headDim * UNDERFLOW
          );
          const top = Math.max(...scores);
          const total = sum(seen.length, (n) => Math.exp(scores[n] - top));
          const worst = Math.max(0, ...off);
          for (let c = 0; c < headDim; c++) {
            const values = seen.map((j) => at(j, columns.v + kv + c));
            const weights = scores.map((score) => Math.exp(score - top) / total);
            const expected = sum(seen.length, (n) => weights[n] * values[n]);
            // A weight is off as its score and the sum of all are, is rounded, and meets four roundings in a product.
            const most = 1.01 * sum(seen.length, (n) =>
                  Math.abs(values[n]) *
                  (weights[n] * (Math.expm1(off[n] + worst) + 5 * ROUNDING) + 2 * UNDERFLOW)) +
              1.01 * ROUNDING * Math.abs(expected) + UNDERFLOW * (seen.length + 1) + 1e-6;
            const error = Math.abs(actual[(i * heads + h) * headDim + c] - expected);
            assert.ok(error <= most, `${name} [${i}, ${h}, ${c}]: ${error} > ${most}`);
          }
        }
      }
    }
  },
});

Deno.test({
  name: "gradients of attention in float16 are central differences of the reference",
  ignore,
  async fn() {
    const device = served();
    for (const kernelCase of casesOf(attentionSpec)) await checkBackward(device, attentionSpec, kernelCase);
  },
});

/** One query (1, 4) over these keys and values -> (1, 4). */
async function attended(device: Device, q: Matrix, rows: number[][]): Promise<number[]> {
  const keyValues = { matrix: device.upload(Float32Array.from(rows.flat()), rows.length, 8), k: 0, v: 4 };
  const intervals = device.createFlat("u32", Uint32Array.of(0, rows.length, 0, 0));
  const shape = { heads: 1, kvHeads: 1, headDim: 4 };
  const [o] = await device.read(attention(device, q, 0, keyValues, keyValues, intervals, shape).o);
  return [...o];
}

Deno.test({
  name: "scores and sums that float16 cannot hold are what float32 makes of them",
  ignore,
  async fn() {
    const device = served();
    await device.scope(async () => {
      const q = device.upload(Float32Array.of(300, 300, 1, 0), 1, 4);
      // 300 * 300 is infinite in float16. The second key has 90000 - 90000, the first and the third have half of 2 more.
      const rows = [[300, -300, 2, 0, 8, 0, 0, 1], [300, -300, 0, 0, 0, 8, 0, 1], [0, 0, 2, 0, 0, 0, 8, 1]];
      const [a, b] = [Math.E / (2 * Math.E + 1), 1 / (2 * Math.E + 1)];
      const o = await attended(device, q, rows);
      [8 * a, 8 * b, 8 * a, 1].forEach((value, i) => assert.ok(Math.abs(o[i] - value) < 0.01, `${o}`));
      // Two values whose sum is too large, but not their mean.
      const large = await attended(device, device.upload(new Float32Array(4), 1, 4), [
        [0, 0, 0, 0, 60000, 1, 0, 0],
        [0, 0, 0, 0, 60000, 3, 0, 0],
      ]);
      assert.deepEqual(large, [60000, 2, 0, 0]);
    });
  },
});

Deno.test({
  name: "a float32 operand is multiplied in float32",
  ignore,
  async fn() {
    const device = served();
    await device.scope(async () => {
      const q = device.matrix(1, 4, "f32");
      device.write(q, Float32Array.of(140000, 0, 0, 0)); // infinite in float16
      const o = await attended(device, q, [[1, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0, 0]]);
      assert.deepEqual(o, [1, 0, 0, 0]);
    });
  },
});

Deno.test("float32 storage has no attention in float16: neither tuned, nor kept, nor asked for", async () => {
  const device = (await sharedDevice("buffer")).sibling();
  assert.ok(device.variants.candidates(ATTENTION).every(({ name }) => name !== NAME));
  assert.throws(() => device.variants.pin(ATTENTION, NAME), {
    message:
      /^Cannot use variant "shared-half" of attention: this device has no (shader-f16 and no )?float16 storage\. /,
  });
});

Deno.test({
  name: "the tuner times attention in float16 beside the others",
  ignore,
  async fn() {
    const device = half.sibling();
    for (const pass of ["forward", "backward"] as const) {
      device.variants.of(ATTENTION, { pass, rows: 70, heads: 2, kvHeads: 1, headDim: 32 });
    }
    const lines: string[] = [];
    await autotune(device, new Map(), { budget: 0.001, log: (line) => lines.push(line) });
    assert.equal(lines.length, 2, lines.join("\n"));
    for (const line of lines) assert.match(line, /\bshared-half \d+ us/);
  },
});

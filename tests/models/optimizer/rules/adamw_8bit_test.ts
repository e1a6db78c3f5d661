import assert from "node:assert/strict";
import golden from "../../../golden/optimizer/adamw_8bit.json" with { type: "json" };
import { adamw8bit, momentCodebook, ZERO_MOMENTS } from "../../../../kernels/moments/adamw_8bit.ts";
import { dynamicMap } from "../../../../kernels/moments/dynamic_map.ts";
import { heldState, Optimizer } from "../../../../models/optimizer/optimizer.ts";
import { unpackedBytes } from "../../../../models/optimizer/packed_bytes.ts";
import { Parameters } from "../../../../models/parameters/parameters.ts";
import type { ParameterSpec } from "../../../../models/parameters/spec.ts";
import { PhiloxStream } from "../../../../base/philox.ts";
import { sharedDevice } from "../../../shared_device.ts";

Deno.test("codes stand for the numbers of bitsandbytes", () => {
  assert.deepEqual(dynamicMap(true), Float32Array.from(golden.maps.signed));
  assert.deepEqual(dynamicMap(false), Float32Array.from(golden.maps.unsigned));
});

Deno.test("adamw8bit() follows bitsandbytes for five steps, codes included", async () => {
  const device = await sharedDevice();
  const length = golden.initial.length;
  const [beta1, beta2] = golden.betas;
  const state = {
    values: device.createFlat("f32", Float32Array.from(golden.initial)),
    gradients: device.createFlat("f32", length),
    m: device.createFlat("u32", new Uint32Array(length / 4).fill(ZERO_MOMENTS[0])),
    v: device.createFlat("u32", new Uint32Array(length / 4).fill(ZERO_MOMENTS[1])),
    scales: device.createFlat("f32", 6),
  };
  const codebook = device.createFlat("f32", momentCodebook());
  const clip = device.createFlat("f32", Float32Array.of(1, 1, 0, 0));
  const hyper = device.createFlat("f32", 4);
  for (const [i, step] of golden.steps.entries()) {
    const t = i + 1;
    device.write(state.gradients, Float32Array.from(step.gradient));
    device.write(hyper, Float32Array.of(step.learningRate, 1 / (1 - beta1 ** t), 1 / (1 - beta2 ** t), 0));
    adamw8bit(device, state, codebook, hyper, clip, {
      beta1,
      beta2,
      eps: golden.eps,
      weightDecay: 0,
      length,
    });
    const [values, m, v, scales] = await device.read(state.values, state.m, state.v, state.scales);
    scales.forEach((value, at) => {
      const error = Math.abs(value / step.scales[at] - 1);
      assert.ok(error < 1e-2, `step ${i}, scale ${at}: ${value}, expected ${step.scales[at]}`);
    });
    // A number in the middle between two codes may go either way, and is half a code away then.
    const moved = (codes: Float32Array, expected: number[]) => {
      const distances = Array.from(codes, (code, at) => Math.abs(code - expected[at]));
      assert.ok(Math.max(...distances) <= 1, `step ${i}: codes ${Math.max(...distances)} apart`);
      return distances.filter((distance) => distance > 0).length;
    };
    // A second moment above 0 stays above 0 here.
    const others = [
      moved(unpackedBytes(m), step.m),
      moved(unpackedBytes(v), step.v.map((code) => code || 1)),
    ];
    assert.ok(Math.max(...others) <= length / 100, `step ${i}: ${others} of ${length} codes differ`);
    values.forEach((value, at) => {
      if (golden.steps.some(({ v }) => v[at] === 0)) return; // there it goes further
      const error = Math.abs(value - step.weight[at]);
      assert.ok(error < step.learningRate * 0.02, `step ${i}, ${at}: ${value}, expected ${step.weight[at]}`);
    });
  }
});

const spec = (name: string, rows: number, cols: number): ParameterSpec => ({
  name,
  rows,
  cols,
  init: "normal",
  decay: rows > 1,
  product: rows > 1,
});
const options = {
  optim: "adamw_8bit",
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
  emaDecay: 0.5,
} as const;

Deno.test("adamw_8bit goes where AdamW goes, resumes to the same bits, and keeps few numbers in float32", async () => {
  const device = await sharedDevice();
  const specs = [spec("large", 80, 70), spec("small", 1, 63)];
  const random = new PhiloxStream(1, "test");
  const optimizers = (["adamw_8bit", "adamw_torch"] as const).map((optim) => {
    const parameters = new Parameters(device, specs);
    parameters.write(new Float32Array(parameters.length).fill(1));
    return new Optimizer(parameters, { ...options, optim });
  });
  // Columns differ by three orders of magnitude, and some numbers have a gradient once.
  const gradients = Array.from(
    { length: 8 },
    (_, step) =>
      Float32Array.from(
        { length: optimizers[0].parameters.length },
        (_, at) => at % 72 >= 70 || at % 7 === 3 && step > 0 ? 0 : random.normal() * 10 ** -(at % 4),
      ),
  );
  const run = async (optimizer: Optimizer, steps: number[]) => {
    for (const step of steps) {
      device.write(optimizer.parameters.gradients, gradients[step]);
      optimizer.prepare(step, 0.01);
      await optimizer.step();
    }
    return await optimizer.state();
  };
  const kept = await run(optimizers[0], [0, 1, 2, 3]);
  const after = await run(optimizers[0], [4, 5, 6, 7]);
  const exact = await run(optimizers[1], [0, 1, 2, 3, 4, 5, 6, 7]);
  const numbers = Object.fromEntries(Object.entries(after).map(([name, { length }]) => [name, length]));
  // 80 rows of 72 numbers, in 23 blocks; 64 more numbers.
  assert.deepEqual(numbers, {
    values: 5824,
    m: 5888,
    v: 5888,
    scales: 64,
    plainM: 64,
    plainV: 64,
    ema: 5824,
  });
  assert.deepEqual(after.plainM.subarray(0, 63), exact.m.subarray(5760, 5823));
  let squares = 0, moved = 0;
  exact.values.forEach((value, i) => {
    squares += (after.values[i] - value) ** 2;
    moved += (value - 1) ** 2;
    assert.ok(Math.abs(after.values[i] - 1) <= 0.09, `${i} moved to ${after.values[i]}`);
  });
  const error = Math.sqrt(squares / moved);
  assert.ok(error > 0 && error < 0.2, `its way is ${error} of that of AdamW off`);
  await optimizers[0].restore(heldState(kept), "memory");
  assert.deepEqual(await optimizers[0].state(), kept);
  assert.deepEqual(await run(optimizers[0], [4, 5, 6, 7]), after);
  await assert.rejects(
    () => optimizers[0].restore(heldState(exact), "runs/a"),
    /array m has 5824 numbers, expected 5888.*same --optim/,
  );
});

import assert from "node:assert/strict";
import golden from "../../../golden/optimizer/adafactor.json" with { type: "json" };
import type { Device } from "../../../../kernels/gpu/device.ts";
import { heldState, Optimizer } from "../../../../models/optimizer/optimizer.ts";
import { Parameters } from "../../../../models/parameters/parameters.ts";
import type { ParameterSpec } from "../../../../models/parameters/spec.ts";
import { sharedDevice } from "../../../shared_device.ts";

const WEIGHT = "weight", BIAS = "bias";
const options = {
  optim: "adafactor",
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: golden.weightDecay,
  maxGradNorm: 0,
  emaDecay: 0.5,
} as const;

/** The matrix as the rows `first` to 4 of a parameter, where it may lie between others. */
function made(device: Device, { frozenRows = 0, table = false } = {}) {
  const part = (name: string, rows: number, row: number) => ({ name, shape: [rows, 7], row, col: 0 });
  const parts = [part("before", 3, 0), part(WEIGHT, 5, 3), part("after", 2, 8)];
  const matrix: ParameterSpec = table
    ? {
      name: WEIGHT,
      rows: 5 + frozenRows,
      cols: 7,
      init: "zeros",
      decay: true,
      product: false,
      table,
      frozenRows,
    }
    : { name: "joined", rows: 10, cols: 7, init: "zeros", decay: true, product: true, parts };
  const bias: ParameterSpec = {
    name: BIAS,
    rows: 1,
    cols: 3,
    init: "zeros",
    decay: false,
    product: false,
    parts: [{ name: BIAS, shape: [3], row: 0, col: 0 }],
  };
  const parameters = new Parameters(device, [matrix, bias]);
  const padded = (rows: number[][]) => Float32Array.from(rows.flatMap((row) => [...row, 0]));
  const first = table ? 0 : 3;
  const whole = (rows: number[][]) =>
    padded([...Array(first).fill(Array(7).fill(0)), ...rows, ...Array(table ? 0 : 2).fill(Array(7).fill(0))]);
  const [{ blocks }, vector] = parameters.trainedBlocks();
  return {
    parameters,
    write(rows: number[][], bias: number[], name: "value" | "gradient") {
      let from = 0;
      for (const block of blocks) {
        device.write(block[name], whole(rows).subarray(from, from + block.rows * 8));
        from += block.rows * 8;
      }
      device.write(vector.blocks[0][name], Float32Array.from(bias));
    },
    async read() {
      const found = await device.read(...blocks.map(({ value }) => value), vector.blocks[0].value);
      const all = found.slice(0, -1).flatMap((values) => [...values]).slice(first * 8, (first + 5) * 8);
      return { weight: all.filter((_, i) => i % 8 < 7), bias: [...found.at(-1)!].slice(0, 3) };
    },
  };
}

function assertNear(found: ArrayLike<number>, expected: ArrayLike<number>, what: string, tolerance = 2e-6) {
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(found[i] - expected[i]) / Math.max(1e-3, Math.abs(expected[i]));
    assert.ok(error < tolerance * 10, `${what} ${i}: ${found[i]}, expected ${expected[i]}`);
  }
}

for (const layout of ["texture", "buffer"] as const) {
  for (const place of [{}, { table: true }, { table: true, frozenRows: 4 }]) {
    Deno.test(`Adafactor follows transformers for five steps, ${layout} ${JSON.stringify(place)}`, async () => {
      const device = await sharedDevice(layout);
      const { parameters, write, read } = made(device, place);
      write(golden.initial.weight, golden.initial.bias, "value");
      const optimizer = new Optimizer(parameters, options);
      for (const [i, step] of golden.steps.entries()) {
        write(step.gradients.weight, step.gradients.bias, "gradient");
        optimizer.prepare(i, step.learningRate);
        optimizer.step();
        const { weight, bias } = await read();
        assertNear(weight, step.weight.flat(), `step ${i}, weight`);
        assertNear(bias, step.bias, `step ${i}, bias`);
      }
      const { rowMoments, columnMoments } = await optimizer.state();
      const last = golden.steps.at(-1)!;
      // Tensors begin at multiples of 64.
      const at = "table" in place ? 0 : 64;
      assertNear(rowMoments.subarray(at), last.rowMoments, "rows");
      assertNear(columnMoments.subarray(at), last.columnMoments, "columns");
      optimizer.destroy();
    });
  }
}

Deno.test("Adafactor resumes to the same bits, and changes nothing where a gradient is not finite", async () => {
  const device = await sharedDevice();
  const { parameters, write } = made(device);
  write(golden.initial.weight, golden.initial.bias, "value");
  const optimizer = new Optimizer(parameters, options);
  const run = (i: number) => {
    const { gradients: { weight, bias }, learningRate } = golden.steps[i];
    write(weight, bias, "gradient");
    optimizer.prepare(i, learningRate);
    optimizer.step();
  };
  [0, 1].forEach(run);
  const kept = await optimizer.state();
  assert.deepEqual(Object.keys(kept), ["values", "rowMoments", "columnMoments", "ema"]);
  assert.notDeepEqual(kept.ema, kept.values);
  [2, 3].forEach(run);
  const after = await optimizer.state();
  await optimizer.restore(heldState(kept), "memory");
  assert.deepEqual(await optimizer.state(), kept);
  write(golden.steps[2].gradients.weight.with(0, Array(7).fill(NaN)), [1, 1, 1], "gradient");
  optimizer.step();
  assert.deepEqual(await optimizer.state(), kept);
  [2, 3].forEach(run);
  assert.deepEqual(await optimizer.state(), after);
  optimizer.destroy();
});

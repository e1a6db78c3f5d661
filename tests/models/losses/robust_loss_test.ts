import assert from "node:assert/strict";
import { Device, type DeviceOptions } from "../../../kernels/gpu/device.ts";
import { noise } from "../../../kernels/gpu/spec.ts";
import { Tape } from "../../../kernels/tape.ts";
import { Parameters, type TensorMap } from "../../../models/parameters/parameters.ts";
import { createRobustTerm, robustLoss, robustScales } from "../../../models/losses/robust_loss.ts";

interface Inputs {
  /** (R, C) */
  hidden: Float32Array<ArrayBuffer>;
  /** (N, C) */
  head: Float32Array<ArrayBuffer>;
  width: number;
  targets: number[];
  weights: number[];
  /** How often each item is a target. */
  counts: number[];
  temperature: number;
}

/** Row losses of 1 with the term, and its gradients. */
async function run(
  { hidden, head, width, targets, weights, counts, temperature }: Inputs,
  { options, chunk, coefficient }: { options?: DeviceOptions; chunk?: number; coefficient: number },
) {
  const device = await Device.open(options);
  const [rows, items] = [targets.length, counts.length];
  const spec = {
    name: "head",
    rows: items,
    cols: width,
    init: "normal",
    decay: true,
    product: true,
  } as const;
  const parameters = new Parameters(device, [{ ...spec, table: true }]);
  const tensors: TensorMap = new Map([["head", { shape: [items, width], data: head }]]);
  parameters.load(tensors, "test");
  parameters.clearGradients();
  const lossRows = {
    targets: device.createFlat("u32", Uint32Array.from(targets)),
    weights: device.createFlat("f32", Float32Array.from(weights)),
    rowLoss: device.createFlat("f32", new Float32Array(rows).fill(1)),
  };
  const term = createRobustTerm(device, rows, { coefficient, scales: robustScales(counts, temperature) });
  return await device.scope(async () => {
    const x = device.upload(hidden, rows, width);
    const tape = new Tape(device, true);
    let dx = x;
    tape.record(() => dx = tape.gradient(x)!);
    robustLoss(tape, parameters, x, "head", lossRows, term, chunk);
    tape.backward();
    const [losses, dHidden, gradients] = await device.read(lossRows.rowLoss, dx, parameters.gradients);
    return { losses, dHidden, dHead: parameters.toTensors(gradients).get("head")!.data };
  });
}

/** What the term adds to each row loss, in double precision. */
function reference(
  { width, targets, weights, counts, temperature }: Inputs,
  hidden: ArrayLike<number>,
  head: ArrayLike<number>,
): number[] {
  const total = counts.reduce((sum, count) => sum + count + 1, 0);
  return targets.map((target, row) => {
    const exponents = counts.map((count, item) => {
      let score = item === target ? -1 : 0;
      for (let c = 0; c < width; c++) score += hidden[row * width + c] * head[item * width + c];
      return ((count + 1) / total) ** 0.05 * score ** 2 / temperature;
    });
    const largest = Math.max(...exponents);
    return weights[row] *
      (largest + Math.log(exponents.reduce((sum, exponent) => sum + Math.exp(exponent - largest), 0)));
  });
}

/** Scores of row 2 reach 50, whose squared exponential no float holds; row 3 is no target. */
function catalogue(items: number): Inputs {
  const [rows, width] = [6, 8];
  const next = noise(items);
  const head = Float32Array.from({ length: items * width }, next);
  const hidden = Float32Array.from({ length: rows * width }, next);
  const scores = Array.from({ length: items }, (_, item) => {
    let score = 0;
    for (let c = 0; c < width; c++) score += hidden[2 * width + c] * head[item * width + c];
    return Math.abs(score);
  });
  const factor = 50 / Math.max(...scores);
  for (let c = 0; c < width; c++) hidden[2 * width + c] *= factor;
  return {
    hidden,
    head,
    width,
    targets: [items - 1, 7, 3, 0xffffffff, 64, 0],
    weights: [0.3, 0.2, 0.1, 0, 0.15, 0.25],
    counts: Array.from({ length: items }, (_, item) => item * item % 11),
    temperature: 2,
  };
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assert.equal(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]) / (1 + Math.abs(expected[i]));
    assert.ok(error < 2e-4, `${what}[${i}] is ${actual[i]}, expected ${expected[i]}`);
  }
}

Deno.test("robustLoss() of scores .5, -1, 2 and counts 0, 3, 7 is ln 6.466911 = 1.866698", async () => {
  const inputs = {
    hidden: Float32Array.of(1),
    head: Float32Array.of(0.5, -1, 2),
    width: 1,
    targets: [2],
    weights: [1],
    counts: [0, 3, 7],
    temperature: 1,
  };
  const { losses } = await run(inputs, { coefficient: 1 });
  assert.ok(Math.abs(losses[0] - 1 - Math.log(6.466911)) < 2e-6, `${losses[0]}`);
  assert.ok(Math.abs(losses[0] - 1 - 1.866698) < 2e-6, `${losses[0]}`);
});

for (const [layout, chunk] of [["texture", 8192], ["buffer", 32]] as const) {
  Deno.test(`robustLoss() and its gradients equal double precision: chunks of ${chunk}, ${layout}`, async () => {
    const inputs = catalogue(90);
    const { losses, dHidden, dHead } = await run(inputs, { options: { layout }, chunk, coefficient: 0.5 });
    const [x, w] = [Float64Array.from(inputs.hidden), Float64Array.from(inputs.head)];
    const expected = reference(inputs, x, w).map((loss) => 1 + 0.5 * loss);
    assert.equal(Math.exp((expected[2] - 1) / (0.5 * inputs.weights[2])), Infinity);
    assertClose(losses, expected, "loss");
    assert.equal(losses[3], 1);
    const differences = (data: Float64Array) =>
      data.map((value, i) => {
        const sums = [1e-5, -1e-5].map((by) => {
          data[i] = value + by;
          return 0.5 * reference(inputs, x, w).reduce((sum, loss) => sum + loss, 0);
        });
        data[i] = value;
        return (sums[0] - sums[1]) / 2e-5;
      });
    assertClose(dHidden, differences(x), "dHidden");
    assertClose(dHead, differences(w), "dHead");
  });
}

Deno.test("robustLoss() leaves rows of weight 0 as they are, whatever their scores; equal inputs give equal bytes", async () => {
  const inputs = catalogue(65);
  const broken = { ...inputs, hidden: inputs.hidden.slice() };
  broken.hidden.fill(3e30, 3 * inputs.width, 4 * inputs.width);
  const whole = await run(inputs, { coefficient: 1 });
  assert.deepEqual(await run(inputs, { coefficient: 1 }), whole);
  assert.deepEqual(await run(broken, { coefficient: 1 }), whole);
});

import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import { noise } from "../../../kernels/gpu/spec.ts";
import { Tape } from "../../../kernels/tape.ts";
import type { Layout } from "../../../kernels/gpu/tensor.ts";
import { EXCLUDED, InfoNce, unitGain, unitRows } from "../../../models/losses/contrastive.ts";
import { gradientOf } from "./leaf_gradient.ts";

type Rows = Float32Array;

const ANCHORS = 5, KEYS = 7, WIDTH = 6;
const rowsOf = (seed: number, rows: number): Rows => {
  const next = noise(seed);
  return Float32Array.from({ length: rows * WIDTH }, next);
};
const dot = (a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number) => {
  let sum = 0;
  for (let d = 0; d < WIDTH; d++) sum += a[i * WIDTH + d] * b[j * WIDTH + d];
  return sum;
};

/** Weighted InfoNCE of each anchor, in float64. */
function infoNce(
  anchors: ArrayLike<number>,
  keys: ArrayLike<number>,
  targets: readonly number[],
  weights: readonly number[],
  excluded: (anchor: number, key: number) => boolean,
): number[] {
  return targets.map((target, i) => {
    if (weights[i] === 0) return 0;
    const all = [...Array(keys.length / WIDTH).keys()].filter((j) => !excluded(i, j));
    const total = all.reduce((sum, j) => sum + Math.exp(dot(anchors, i, keys, j)), 0);
    return -weights[i] * (dot(anchors, i, keys, target) - Math.log(total));
  });
}

/** Rows of length 1 / sqrt(temperature), in float64. */
function scaledRows(x: ArrayLike<number>, temperature: number): number[] {
  return Array.from(x, (value, i) => {
    const row = Math.floor(i / WIDTH);
    return value / Math.sqrt((dot(x, row, x, row) + 1e-6) * temperature);
  });
}

/** Central difference of a float64 loss with respect to every number of `at`. */
function differences(loss: (at: number[]) => number, at: Rows): number[] {
  return Array.from(at, (_, i) => {
    const moved = (step: number) => loss(Array.from(at, (value, j) => i === j ? value + step : value));
    return (moved(1e-5) - moved(-1e-5)) / 2e-5;
  });
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number) {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    assert.ok(
      error < tolerance * (1 + Math.abs(expected[i])),
      `[${i}] is ${actual[i]}, expected ${expected[i]}`,
    );
  }
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

for (const layout of ["texture", "buffer"] as Layout[]) {
  Deno.test(`InfoNce equals its float64 reference and central differences, ${layout}`, async () => {
    const device = await sharedDevice(layout);
    const anchors = rowsOf(1, ANCHORS), keys = rowsOf(2, KEYS);
    const targets = [3, 0, 6, 6, 1], weights = [0.5, 0.25, 0, 1, 2];
    const nobody = 4, barred = [[0, 1], [3, 0]];
    const excluded = (i: number, j: number) => j === nobody || barred.some(([a, k]) => a === i && k === j);
    const reference = (a: ArrayLike<number>, k: ArrayLike<number>) =>
      infoNce(a, k, targets, weights, excluded);
    const nce = new InfoNce(device, { anchors: ANCHORS, keys: KEYS, width: WIDTH });
    const flats = {
      targets: device.createFlat("u32", Uint32Array.from(targets)),
      weights: device.createFlat("f32", Float32Array.from(weights)),
    };
    const bias = new Float32Array(KEYS), pairs = new Float32Array(ANCHORS * KEYS);
    bias[nobody] = EXCLUDED;
    for (const [i, j] of barred) pairs[i * KEYS + j] = EXCLUDED;
    const [losses, da, dk] = await device.scope(async () => {
      const tape = new Tape(device, true);
      const a = device.upload(anchors, ANCHORS, WIDTH), k = device.upload(keys, KEYS, WIDTH);
      const gradients = [gradientOf(tape, a), gradientOf(tape, k)];
      const biases = { keyBias: device.upload(bias, 1, KEYS), pairBias: device.upload(pairs, ANCHORS, KEYS) };
      nce.loss(tape, a, k, { ...flats, ...biases });
      tape.backward();
      const [da, dk] = await Promise.all(gradients);
      return [(await device.read(nce.rowLoss))[0], da!, dk!];
    });
    assertClose(losses, reference(anchors, keys), 1e-5);
    assertClose(da, differences((at) => sum(reference(at, keys)), anchors), 1e-4);
    assertClose(dk, differences((at) => sum(reference(anchors, at)), keys), 1e-4);
    assert.ok(dk.subarray(nobody * WIDTH, (nobody + 1) * WIDTH).every((value) => value === 0));
  });

  Deno.test(`InfoNce of the cosines of rows with each other equals its reference, ${layout}`, async () => {
    const device = await sharedDevice(layout);
    const rows = rowsOf(3, KEYS), temperature = 0.2;
    rows.fill(0, 4 * WIDTH, 5 * WIDTH);
    const targets = [1, 0, 3, 2, 0, 6, 5], weights = [1, 1, 1, 1, 0, 1, 1].map((weight) => weight / 6);
    const reference = (at: ArrayLike<number>) => {
      const scaled = scaledRows(at, temperature);
      return infoNce(scaled, scaled, targets, weights, (i, j) => i === j);
    };
    const nce = new InfoNce(device, { anchors: KEYS, keys: KEYS, width: WIDTH });
    const own = Float32Array.from({ length: KEYS ** 2 }, (_, i) => i % (KEYS + 1) === 0 ? EXCLUDED : 0);
    const [losses, gradient] = await device.scope(async () => {
      const tape = new Tape(device, true);
      const x = device.upload(rows, KEYS, WIDTH);
      const gradient = gradientOf(tape, x);
      const z = unitRows(tape, x, unitGain(device, WIDTH, temperature));
      nce.loss(tape, z, z, {
        targets: device.createFlat("u32", Uint32Array.from(targets)),
        weights: device.createFlat("f32", Float32Array.from(weights)),
        pairBias: device.upload(own, KEYS, KEYS),
      });
      tape.backward();
      return [(await device.read(nce.rowLoss))[0], (await gradient)!];
    });
    assertClose(losses, reference(rows), 1e-5);
    const expected = differences((at) => sum(reference(at)), rows);
    for (const row of [0, 1, 2, 3, 5, 6]) {
      const [from, to] = [row * WIDTH, (row + 1) * WIDTH];
      assertClose(gradient.subarray(from, to), expected.slice(from, to), 2e-4);
    }
    assert.ok(gradient.every(Number.isFinite)); // that of the zero row is steep, not infinite
  });
}

Deno.test("InfoNce spares itself the gradient of constant keys, and 0 weights cost nothing", async () => {
  const device = await sharedDevice();
  const nce = new InfoNce(device, { anchors: ANCHORS, keys: KEYS, width: WIDTH });
  const [losses, gradient] = await device.scope(async () => {
    const tape = new Tape(device, true);
    const a = device.upload(rowsOf(1, ANCHORS), ANCHORS, WIDTH),
      k = device.upload(rowsOf(2, KEYS), KEYS, WIDTH);
    tape.constant(k);
    const gradient = gradientOf(tape, a);
    const ofKeys = gradientOf(tape, k);
    const flats = { targets: device.createFlat("u32", ANCHORS), weights: device.createFlat("f32", ANCHORS) };
    nce.loss(tape, a, k, flats);
    tape.backward();
    assert.equal(await ofKeys, undefined);
    return [(await device.read(nce.rowLoss))[0], (await gradient)!];
  });
  assert.ok([...losses, ...gradient].every((value) => value === 0));
});

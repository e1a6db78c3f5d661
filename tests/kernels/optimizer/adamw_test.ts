import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import golden from "../../golden/optimizer/adamw.json" with { type: "json" };
import { adamw } from "../../../kernels/optimizer/adamw.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { GRAD_NORM_SCRATCH, gradNorm } from "../../../kernels/optimizer/grad_norm.ts";
import type { Flat } from "../../../kernels/gpu/tensor.ts";

const LENGTH = 10; // weight (7), bias (3)

Deno.test("gradNorm() and adamw() follow torch for five steps, clipped and not", async () => {
  const device = await sharedDevice();
  const flats = stateOf(device, [...golden.initial.weight, ...golden.initial.bias]);
  for (const [i, step] of golden.steps.entries()) {
    device.write(flats.gradients, Float32Array.of(...step.gradients.weight, ...step.gradients.bias));
    gradNorm(device, [flats.gradients], flats.scratch, flats.clip, golden.maxNorm);
    const [beta1, beta2] = golden.betas;
    const corrections = [1 / (1 - beta1 ** (i + 1)), 1 / (1 - beta2 ** (i + 1))];
    device.write(flats.hyper, Float32Array.of(step.learningRate, ...corrections, 0));
    adamw(device, flats, flats.hyper, flats.clip, {
      beta1,
      beta2,
      eps: golden.eps,
      weightDecay: golden.weightDecay.weight,
      decayLength: 7,
      length: LENGTH,
    });
    const [values, clip] = await device.read(flats.values, flats.clip);
    const expected = [...step.weight, ...step.bias];
    values.forEach((value, at) =>
      assert.ok(Math.abs(value - expected[at]) < 2e-6, `step ${i}, ${at}: ${value}, expected ${expected[at]}`)
    );
    assert.ok(Math.abs(clip[0] - step.norm) < 1e-6 * step.norm);
    assert.equal(clip[2], 0);
  }
});

for (const bad of [NaN, Infinity, -Infinity, 1e30]) {
  Deno.test(`adamw() changes nothing where a gradient is ${bad}`, async () => {
    const device = await sharedDevice();
    const flats = stateOf(device, Array.from({ length: LENGTH }, (_, i) => i));
    device.write(flats.gradients, new Float32Array(LENGTH).fill(1).with(8, bad));
    device.write(flats.hyper, Float32Array.of(0.1, 10, 20, 0.5));
    gradNorm(device, [flats.gradients], flats.scratch, flats.clip, 1);
    const options = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, decayLength: 7, length: LENGTH };
    adamw(device, flats, flats.hyper, flats.clip, options);
    const [values, m, v, ema, clip] = await device.read(
      flats.values,
      flats.m,
      flats.v,
      flats.ema,
      flats.clip,
    );
    assert.deepEqual([...values], Array.from({ length: LENGTH }, (_, i) => i));
    assert.deepEqual([...m, ...v, ...ema], new Array(3 * LENGTH).fill(0));
    assert.deepEqual([...clip.subarray(1)], [0, 1, 0]);
  });
}

function stateOf(device: Device, values: number[]): Record<
  "values" | "gradients" | "m" | "v" | "ema" | "scratch" | "clip" | "hyper",
  Flat
> {
  const zeros = (length: number) => device.createFlat("f32", length);
  return {
    values: device.createFlat("f32", Float32Array.from(values)),
    gradients: zeros(LENGTH),
    m: zeros(LENGTH),
    v: zeros(LENGTH),
    ema: zeros(LENGTH),
    scratch: zeros(GRAD_NORM_SCRATCH),
    clip: zeros(4),
    hyper: zeros(4),
  };
}

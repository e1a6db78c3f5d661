import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat } from "../gpu/tensor.ts";
import philoxCode from "./philox.wgsl" with { type: "text" };
import uniformCode from "./uniform.wgsl" with { type: "text" };

const uniformKernel: Kernel = {
  label: "kernels/random/uniform.wgsl",
  code: philoxCode + uniformCode,
  entry: "random_uniform",
  inputs: 0,
  outputs: 0,
  flats: ["read", "read_write"],
  workgroup: [64],
};

/**
 * Fills `out` (f32, a multiple of 4 long) with uniform numbers in [0, 1), multiples of 2^-24: four from each counter
 * (element / 4, stream, step, 0). seed is u32 [key low, key high, step, unused]; `stream` tells the uses in a step apart.
 */
export function randomUniform(device: Device, seed: Flat, stream: number, out: Flat): void {
  expectLength("randomUniform() seed", seed, "u32", 4);
  expectLength("randomUniform() result", out, "f32", 0);
  if (out.length % 4 !== 0) {
    throw new RangeError(`randomUniform() result has ${out.length} elements: expected a multiple of 4`);
  }
  const groups = out.length / 4;
  device.run(uniformKernel, { flats: [seed, out], u32: [groups, stream], invocations: [groups] });
}

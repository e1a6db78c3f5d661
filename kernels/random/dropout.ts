import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import dropoutCode from "./dropout.wgsl" with { type: "text" };
import philoxCode from "./philox.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/random/dropout.wgsl",
  code: philoxCode + dropoutCode,
  entry: "dropout",
  inputs: 1,
  outputs: 1,
  staged: true,
  flats: ["read"],
  workgroup: [16, 8],
};

/**
 * Inverted dropout: x (N, C) -> (N, C), elements dropped with probability `rate` in [0, 1), the others divided by
 * 1 - rate. The rate is rounded to a multiple of 2^-16 in both places, so the expectation is exact.
 *
 * seed is u32 [key low, key high, step, unused]; `stream` tells the dropouts of a step apart. The same seed and stream
 * drop the same elements: the backward is this call on dy.
 */
export function dropout(device: Device, x: Matrix, seed: Flat, stream: number, rate: number): Matrix {
  if (!(rate >= 0 && rate < 1)) throw new RangeError(`dropout() rate is ${rate}: expected 0 <= rate < 1`);
  expectLength("dropout() seed", seed, "u32", 4);
  const y = device.matrix(x.rows, x.cols);
  const groups = groupsOf(x.cols);
  const pairs = Math.ceil(groups / 2);
  const threshold = thresholdOf(rate);
  device.run(kernel, {
    inputs: [x],
    outputs: [y],
    flats: [seed],
    u32: [x.rows, groups, pairs, stream, threshold],
    f32: [keptScale(rate)],
    invocations: [pairs, x.rows],
  });
  return y;
}

/** The rate in multiples of 2^-16: what 16 random bits are compared with. */
export function thresholdOf(rate: number): number {
  return Math.min(Math.round(rate * 65536), 65535);
}

/** What kept elements are multiplied by: 1 / (1 - rate), the rate in multiples of 2^-16. */
export function keptScale(rate: number): number {
  return 65536 / (65536 - thresholdOf(rate));
}

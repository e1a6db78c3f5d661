import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { philox4x32Reference, testSeed } from "./philox.ts";
import { type KernelSpec, matrixOf, noise, type Values } from "../gpu/spec.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import dropoutCode from "./dropout.wgsl" with { type: "text" };
import philoxCode from "./philox.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/random/dropout.wgsl",
  code: philoxCode + dropoutCode,
  entry: "dropout",
  inputs: 1,
  outputs: 1,
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
    f32: [65536 / (65536 - threshold)],
    invocations: [pairs, x.rows],
  });
  return y;
}

/** The rate in multiples of 2^-16: what 16 random bits are compared with. */
export function thresholdOf(rate: number): number {
  return Math.min(Math.round(rate * 65536), 65535);
}

interface Attributes {
  stream: number;
  rate: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "dropout",
  cases: () =>
    [[1, 1, 0.5], [7, 9, 0.1], [33, 68, 0.5], [5, 12, 0], [4, 30, 0.99]].map(([rows, cols, rate], i) => ({
      name: `(${rows}, ${cols}) at ${rate}`,
      inputs: { x: matrixOf(rows, cols, noise(i)), seed: testSeed(i) },
      attributes: { stream: i * 1000, rate },
    })),
  reference: ({ x, seed }, attributes) => ({
    y: { ...x, data: x.data.map((value, i) => value * factor(x, i, seed.data, attributes)) },
  }),
  forward: (device, { x, seed }, { stream, rate }) => ({
    y: dropout(device, x as Matrix, seed as Flat, stream, rate),
  }),
  backward: (device, { seed }, _outputs, { y }, { stream, rate }) => ({
    x: dropout(device, y as Matrix, seed as Flat, stream, rate),
  }),
};

// 0, or 1 / (1 - rate): the low halves of a draw decide about the first four of eight columns, the high halves about the rest.
function factor({ cols }: Values, element: number, seed: Float64Array, { stream, rate }: Attributes): number {
  const [row, col] = [Math.floor(element / cols), element % cols];
  const counter = row * Math.ceil(cols / 8) + Math.floor(col / 8);
  const word = philox4x32Reference([counter, stream, seed[2], 0], [seed[0], seed[1]])[col % 4];
  const draw = col % 8 < 4 ? word % 65536 : Math.floor(word / 65536);
  const threshold = thresholdOf(rate);
  return draw < threshold ? 0 : 65536 / (65536 - threshold);
}

import { philox4x32Reference, testSeed } from "./philox_spec.ts";
import { type KernelSpec, matrixOf, noise, type Values } from "../gpu/spec.ts";
import type { Flat, Matrix } from "../gpu/tensor.ts";
import { dropout, thresholdOf } from "./dropout.ts";

/** Which numbers a dropout draws, and its rate. */
export interface DropoutAttributes {
  stream: number;
  rate: number;
}

export const spec: KernelSpec<DropoutAttributes> = {
  name: "dropout",
  cases: () =>
    [[1, 1, 0.5], [7, 9, 0.1], [33, 68, 0.5], [5, 12, 0], [4, 30, 0.99]].map(([rows, cols, rate], i) => ({
      name: `(${rows}, ${cols}) at ${rate}`,
      inputs: { x: matrixOf(rows, cols, noise(i)), seed: testSeed(i) },
      attributes: { stream: i * 1000, rate },
    })),
  reference: ({ x, seed }, attributes) => ({
    y: { ...x, data: x.data.map((value, i) => value * dropFactor(x, i, seed.data, attributes)) },
  }),
  forward: (device, { x, seed }, { stream, rate }) => ({
    y: dropout(device, x as Matrix, seed as Flat, stream, rate),
  }),
  backward: (device, { seed }, _outputs, { y }, { stream, rate }) => ({
    x: dropout(device, y as Matrix, seed as Flat, stream, rate),
  }),
};

/** 0, or 1 / (1 - rate): the low halves of a draw decide about the first four of eight columns, the high halves about the rest. */
export function dropFactor(
  { cols }: Values,
  element: number,
  seed: Float64Array,
  { stream, rate }: DropoutAttributes,
): number {
  const [row, col] = [Math.floor(element / cols), element % cols];
  const counter = row * Math.ceil(cols / 8) + Math.floor(col / 8);
  const word = philox4x32Reference([counter, stream, seed[2], 0], [seed[0], seed[1]])[col % 4];
  const draw = col % 8 < 4 ? word % 65536 : Math.floor(word / 65536);
  const threshold = thresholdOf(rate);
  return draw < threshold ? 0 : 65536 / (65536 - threshold);
}

import type { Device } from "./device.ts";
import type { Kernel } from "./kernel.ts";
import { flatOf, type KernelSpec, matrixOf, noise } from "./spec.ts";
import { expectLength, type Flat, type Matrix, shapeOf } from "./tensor.ts";
import code from "./rotary.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/rotary.wgsl",
  code,
  entry: "rotary",
  inputs: 2,
  outputs: 1,
  flats: ["read"],
  workgroup: [16, 8],
};

/** Heads of the matrix to rotate, and the direction. */
export interface RotaryOptions {
  heads: number;
  kvHeads: number;
  /** A multiple of 8. */
  headDim: number;
  /** Rotate by the negative angle: takes gradients of the result to gradients of x. */
  inverse: boolean;
}

/**
 * Rotary position embedding (arXiv:2104.09864), columns i and i + headDim / 2 of a head being one pair as in Hugging
 * Face checkpoints. x (T, (heads + 2 kvHeads) * headDim) is q | k | v; q and k are rotated, v is copied.
 * positions (T) of u32 must be below table.rows, else the row becomes 0. table (maxPositions, headDim) is from
 * {@link rotaryTable}.
 */
export function rotary(
  device: Device,
  x: Matrix,
  positions: Flat,
  table: Matrix,
  { heads, kvHeads, headDim, inverse }: RotaryOptions,
): Matrix {
  if (headDim % 8 !== 0) throw new RangeError(`rotary() headDim is ${headDim}: expected a multiple of 8`);
  if (x.cols !== (heads + 2 * kvHeads) * headDim) {
    throw new RangeError(
      `rotary() x has shape ${shapeOf(x)}: expected ${heads} + 2 * ${kvHeads} heads of ${headDim} columns`,
    );
  }
  if (table.cols !== headDim) {
    throw new RangeError(`rotary() table has shape ${shapeOf(table)}: expected ${headDim} columns`);
  }
  expectLength("rotary() positions", positions, "u32", x.rows);
  const y = device.matrix(x.rows, x.cols);
  const half = headDim / 8;
  const allHeads = heads + 2 * kvHeads;
  device.run(kernel, {
    inputs: [x, table],
    outputs: [y],
    flats: [positions],
    u32: [x.rows, allHeads, heads + kvHeads, half],
    f32: [inverse ? -1 : 1],
    invocations: [allHeads * half, x.rows],
  });
  return y;
}

/**
 * Table (maxPositions, headDim): cos(p * theta^(-2i / headDim)) in column i of the first half, sin in the second.
 */
export function rotaryTable(maxPositions: number, headDim: number, theta: number): Float32Array {
  const half = headDim / 2;
  const table = new Float32Array(maxPositions * headDim);
  for (let p = 0; p < maxPositions; p++) {
    for (let i = 0; i < half; i++) {
      const angle = p * theta ** (-i / half);
      table[p * headDim + i] = Math.cos(angle);
      table[p * headDim + half + i] = Math.sin(angle);
    }
  }
  return table;
}

interface Attributes extends RotaryOptions {
  theta: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "rotary",
  cases: () =>
    [[1, 1, 1, 8, 10], [7, 2, 1, 24, 100], [19, 3, 3, 16, 1e4], [5, 4, 2, 64, 1e6]].map(
      ([rows, heads, kvHeads, headDim, theta], i) => ({
        name: `${rows} rows, ${heads} + 2 * ${kvHeads} heads of ${headDim}`,
        inputs: {
          x: matrixOf(rows, (heads + 2 * kvHeads) * headDim, noise(rows)),
          positions: flatOf("u32", Array.from({ length: rows }, (_, row) => (row * 5) % 23)),
        },
        attributes: { heads, kvHeads, headDim, theta, inverse: i % 2 === 1 },
      }),
    ),
  reference: ({ x, positions }, { heads, kvHeads, headDim, theta, inverse }) => {
    const y = x.data.slice();
    for (let row = 0; row < x.rows; row++) {
      for (let head = 0; head < heads + kvHeads; head++) {
        for (let i = 0; i < headDim / 2; i++) {
          const angle = (inverse ? -1 : 1) * positions.data[row] / Math.pow(theta, 2 * i / headDim);
          const at = row * x.cols + head * headDim + i;
          const [a, b] = [x.data[at], x.data[at + headDim / 2]];
          y[at] = a * Math.cos(angle) - b * Math.sin(angle);
          y[at + headDim / 2] = b * Math.cos(angle) + a * Math.sin(angle);
        }
      }
    }
    return { y: { ...x, data: y } };
  },
  forward: (device, { x, positions }, attributes) => ({
    y: rotary(device, x as Matrix, positions as Flat, tableOf(device, attributes), attributes),
  }),
  backward: (device, { positions }, _outputs, { y }, attributes) => ({
    x: rotary(device, y as Matrix, positions as Flat, tableOf(device, attributes), {
      ...attributes,
      inverse: !attributes.inverse,
    }),
  }),
};

function tableOf(device: Device, { headDim, theta }: Attributes): Matrix {
  return device.upload(rotaryTable(23, headDim, theta), 23, headDim);
}

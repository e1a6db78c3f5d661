import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { flatOf, type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectLength, type Flat, type Matrix, shapeOf } from "../gpu/tensor.ts";
import code from "./rotary.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/elementwise/rotary.wgsl",
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
 * positions (T) of u32 must be among those of `table`, from {@link rotaryTable}, else q and k of the row become 0.
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
  if (table.cols % headDim !== 0) {
    throw new RangeError(
      `rotary() table has shape ${shapeOf(table)}: expected positions of ${headDim} columns each`,
    );
  }
  expectLength("rotary() positions", positions, "u32", x.rows);
  const y = device.matrix(x.rows, x.cols);
  const half = headDim / 8;
  const allHeads = heads + 2 * kvHeads;
  device.run(kernel, {
    inputs: [x, table],
    outputs: [y],
    flats: [positions],
    u32: [x.rows, allHeads, heads + kvHeads, half, table.cols / headDim],
    f32: [inverse ? -1 : 1],
    invocations: [allHeads * half, x.rows],
  });
  return y;
}

/**
 * Angles of positions 0 to `positions - 1`: `frequencies` (headDim / 2) in radians a position, cosines and sines
 * multiplied by `scale`. A row holds cos | sin of one position after the other, as many as `perRow`: the fewest with
 * which long contexts fit a texture.
 */
export function rotaryTable(
  device: Device,
  positions: number,
  frequencies: Float64Array,
  scale = 1,
  perRow = device.layout === "texture" ? Math.ceil(positions / device.limits.maxTextureDimension2D) : 1,
): Matrix {
  const half = frequencies.length;
  const rows = Math.ceil(positions / perRow);
  const table = new Float32Array(rows * perRow * 2 * half);
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < half; i++) {
      const angle = p * frequencies[i];
      table[p * 2 * half + i] = scale * Math.cos(angle);
      table[p * 2 * half + half + i] = scale * Math.sin(angle);
    }
  }
  return device.upload(table, rows, perRow * 2 * half);
}

interface Attributes extends RotaryOptions {
  theta: number;
  scale: number;
  perRow: number;
}

const POSITIONS = 23;

export const spec: KernelSpec<Attributes> = {
  name: "rotary",
  cases: () =>
    [[1, 1, 1, 8, 10], [7, 2, 1, 24, 100], [19, 3, 3, 16, 1e4], [5, 4, 2, 64, 1e6]].map(
      ([rows, heads, kvHeads, headDim, theta], i) => ({
        name: `${rows} rows, ${heads} + 2 * ${kvHeads} heads of ${headDim}, ${i + 1} positions a row`,
        inputs: {
          x: matrixOf(rows, (heads + 2 * kvHeads) * headDim, noise(rows)),
          positions: flatOf("u32", Array.from({ length: rows }, (_, row) => (row * 5) % POSITIONS)),
        },
        attributes: { heads, kvHeads, headDim, theta, scale: 1 + i / 8, perRow: i + 1, inverse: i % 2 === 1 },
      }),
    ),
  reference: ({ x, positions }, { heads, kvHeads, headDim, theta, scale, inverse }) => {
    const y = x.data.slice();
    for (let row = 0; row < x.rows; row++) {
      for (let head = 0; head < heads + kvHeads; head++) {
        for (let i = 0; i < headDim / 2; i++) {
          const angle = (inverse ? -1 : 1) * positions.data[row] / Math.pow(theta, 2 * i / headDim);
          const at = row * x.cols + head * headDim + i;
          const [a, b] = [x.data[at], x.data[at + headDim / 2]];
          y[at] = scale * (a * Math.cos(angle) - b * Math.sin(angle));
          y[at + headDim / 2] = scale * (b * Math.cos(angle) + a * Math.sin(angle));
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

function tableOf(device: Device, { headDim, theta, scale, perRow }: Attributes): Matrix {
  const frequencies = Float64Array.from({ length: headDim / 2 }, (_, i) => theta ** (-2 * i / headDim));
  return rotaryTable(device, POSITIONS, frequencies, scale, perRow);
}

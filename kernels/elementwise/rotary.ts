import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, type Matrix, shapeOf } from "../gpu/tensor.ts";
import code from "./rotary.wgsl" with { type: "text" };

const shared: Kernel = {
  label: "kernels/elementwise/rotary.wgsl",
  code,
  entry: "rotary",
  inputs: 2,
  outputs: 1,
  staged: true,
  flats: ["read"],
  workgroup: [8, 8],
};

const kernels = new Map<string, Kernel>();

// Constants, not uniforms: CPUs have no division of integer vectors, and the compiler makes shifts of powers of two.
function kernelOf(half: number, perRow: number): Kernel {
  const key = `${half} ${perRow}`;
  const known = kernels.get(key) ?? { ...shared, constants: { HALF: half, PER_ROW: perRow } };
  kernels.set(key, known);
  return known;
}

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
  const rotated = heads + kvHeads;
  // A copy between textures costs a tenth of loads and stores in a kernel, or less; buffers have none of a part of each row.
  const copied = device.layout === "texture";
  const inKernel = copied ? rotated : heads + 2 * kvHeads;
  device.run(kernelOf(half, table.cols / headDim), {
    inputs: [x, table],
    outputs: [y],
    written: { start: 0, count: inKernel * headDim },
    flats: [positions],
    u32: [x.rows, inKernel, rotated],
    f32: [inverse ? -1 : 1],
    invocations: [Math.ceil(inKernel / 4) * half, x.rows],
  });
  if (copied) device.copyColumns(x, y, rotated * headDim, kvHeads * headDim);
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

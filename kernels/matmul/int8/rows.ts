import type { Device } from "../../gpu/device.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../../gpu/tensor.ts";
import { byEpilogue } from "../epilogue.ts";
import type { MatmulOptions } from "../matmul.ts";
import code from "./rows.wgsl" with { type: "text" };

const kernel = byEpilogue({
  label: "kernels/matmul/int8/rows.wgsl",
  code,
  entry: "matmul_int8",
  inputs: 3,
  outputs: 1,
  flats: ["read", "read"],
  workgroup: [8],
});

/** Largest number of eight bits that is used: the range is symmetric. */
const LARGEST = 127;
/** Adding it to a small double and rounding to single precision leaves whole numbers, ties to even. */
const ROUNDING = 1.5 * 2 ** 23;

/** Rows and columns of a tile of the result. */
const TILE = 16;

/** Numbers of eight bits, four a word, and what each row of them is multiplied by; rows in whole tiles of 16. */
export interface Int8Values {
  /** Rows in whole words: (rows, cols / 4 rounded up). */
  words: Uint32Array<ArrayBuffer>;
  /** One a row; 0 for a row of zeros. */
  scales: Float32Array<ArrayBuffer>;
}

/** {@link Int8Values} of a matrix (rows, cols) on the device. */
export interface Int8Matrix {
  /** Rows N. */
  rows: number;
  /** Columns K. */
  cols: number;
  /** u32, four numbers a word. */
  words: Flat;
  /** f32, one a row. */
  scales: Flat;
}

/** Rows of words and scales of a matrix of `rows`. */
export function int8Rows(rows: number): number {
  return Math.ceil(rows / TILE) * TILE;
}

/**
 * Rounds a matrix to eight bits, row by row: the largest absolute value of a row becomes 127, the rest is rounded to the
 * nearest, ties to even. `values` (rows, cols), rows in whole groups of four.
 */
export function toInt8Rows(values: Float32Array, rows: number, cols: number): Int8Values {
  const stride = groupsOf(cols) * 4;
  const padded = int8Rows(rows);
  const bytes = new Int8Array(padded * stride), scales = new Float32Array(padded);
  for (let row = 0; row < rows; row++) {
    let most = 0;
    for (let at = row * stride; at < row * stride + cols; at++) most = Math.max(most, Math.abs(values[at]));
    const scale = scales[row] = most / LARGEST;
    if (scale === 0) continue; // also where it is too small to be divided by
    for (let at = row * stride; at < row * stride + cols; at++) {
      const rounded = Math.fround(values[at] / scale + ROUNDING) - ROUNDING;
      bytes[at] = Math.max(-LARGEST, Math.min(LARGEST, rounded));
    }
  }
  return { words: new Uint32Array(bytes.buffer), scales };
}

/** C = A B^T. a (M, K), b (N, K) in eight bits -> c (M, N); bias, addend and activation as in `matmul()`. */
export function matmulInt8(
  device: Device,
  a: Matrix,
  { rows: cols, cols: inner, words, scales }: Int8Matrix,
  { bias, addend, activation = "none" }: Pick<MatmulOptions, "bias" | "addend" | "activation"> = {},
): Matrix {
  expectShape("matmulInt8() a", a, a.rows, inner);
  expectLength("matmulInt8() words", words, "u32", int8Rows(cols) * groupsOf(inner));
  expectLength("matmulInt8() scales", scales, "f32", int8Rows(cols));
  if (bias) expectShape("matmulInt8() bias", bias, 1, cols);
  if (addend) expectShape("matmulInt8() addend", addend, a.rows, cols);
  if (addend && bias) throw new RangeError("matmulInt8() has a bias and an addend: expected one of them");
  const c = device.matrix(a.rows, cols, addend?.dtype);
  const added = bias ?? addend;
  const plain = !added && activation === "none" && cols % 4 === 0;
  device.run(kernel(plain ? "plain" : activation), {
    inputs: [a, a, added ?? a], // the second is not read, the third where there is a bias or an addend
    outputs: [c],
    flats: [words, scales],
    u32: [a.rows, cols, inner, bias ? 1 : addend ? 2 : 0, 0, 0],
    invocations: [Math.ceil(a.rows / TILE) * Math.ceil(cols / TILE)],
  });
  return c;
}

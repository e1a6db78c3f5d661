import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix, shapeOf } from "../gpu/tensor.ts";
import code from "./column_sum.wgsl" with { type: "text" };

const CHUNK = 32;

const label = "kernels/reduce/column_sum.wgsl";
const chunkKernel: Kernel = {
  label,
  code,
  entry: "chunk_sums",
  inputs: 1,
  outputs: 1,
  flats: [],
  workgroup: [16, 4],
  constants: { CHUNK },
};
const productKernel: Kernel = { ...chunkKernel, entry: "chunk_product_sums", inputs: 2, flats: ["read"] };
const totalKernel: Kernel = {
  label,
  code,
  entry: "total_sums",
  inputs: 1,
  outputs: 0,
  flats: ["read_write"],
  workgroup: [16],
};

/** Which columns to sum, and where to put the result. */
export interface ColumnSumOptions {
  /** Equal parts of a row that are summed too, as for a gain that all heads share. Default 1. */
  segments?: number;
  /** Sum only these columns of x; `start` is a multiple of 4. Default: all. */
  columns?: { start: number; count: number };
  /** First element of `out` that is written, a multiple of 4. Default 0. */
  outStart?: number;
}

/**
 * x (N, C) -> out (C / segments, padded to whole groups of four): the sum over rows, added to `out` with `accumulate`.
 * Segments, and columns that stop before the last, must be a multiple of 4 wide. The gradient of a bias, or of a gain
 * from its terms.
 */
export function columnSum(
  device: Device,
  x: Matrix,
  out: Flat,
  accumulate: boolean,
  { segments = 1, columns = { start: 0, count: x.cols }, outStart = 0 }: ColumnSumOptions = {},
): void {
  const { start, count } = columns;
  const width = count / segments;
  const end = start + count;
  if (start % 4 !== 0 || end > x.cols || end < x.cols && end % 4 !== 0) {
    throw new RangeError(
      `columnSum() of columns ${start} to ${end} of ${shapeOf(x)}: expected multiples of 4 in the matrix`,
    );
  }
  if (!Number.isInteger(width) || segments > 1 && width % 4 !== 0) {
    throw new RangeError(
      `columnSum() of ${count} columns in ${segments} segments: expected segments of a multiple of 4 columns`,
    );
  }
  if (outStart % 4 !== 0) {
    throw new RangeError(`columnSum() outStart is ${outStart}: expected a multiple of 4`);
  }
  const groups = groupsOf(width);
  expectLength("columnSum() result", out, "f32", outStart + groups * 4);
  addChunks(device, chunkSums(device, x, width, segments, start), out, outStart, accumulate);
}

/**
 * x (N, C), y (N, C), scales (N), numbers whatever the flat says -> out (C, padded to whole groups of four) += the sum over
 * rows of x * y * scale. The gradient of a norm's gain, whose terms need not be written.
 */
export function productColumnSum(device: Device, x: Matrix, y: Matrix, scales: Flat, out: Flat): void {
  expectShape("productColumnSum() y", y, x.rows, x.cols);
  const groups = groupsOf(x.cols);
  expectLength("productColumnSum() result", out, "f32", groups * 4);
  const chunks = Math.ceil(x.rows / CHUNK);
  const partial = device.matrix(chunks, x.cols, "f32");
  device.run(productKernel, {
    inputs: [x, y],
    outputs: [partial],
    flats: [scales],
    u32: [x.rows, groups, 1, 0, 0],
    invocations: [groups, chunks],
  });
  addChunks(device, partial, out, 0, true);
}

function addChunks(device: Device, partial: Matrix, out: Flat, outStart: number, accumulate: boolean): void {
  const groups = groupsOf(partial.cols);
  device.run(totalKernel, {
    inputs: [partial],
    flats: [out],
    u32: [partial.rows, groups, 1, outStart / 4, Number(accumulate)],
    invocations: [groups],
  });
  device.release(partial);
}

/** Sums over chunks of 32 rows of x (N, C), of `segments` parts `width` wide from column `start` on -> (N / 32, width). */
export function chunkSums(device: Device, x: Matrix, width = x.cols, segments = 1, start = 0): Matrix {
  const chunks = Math.ceil(x.rows / CHUNK);
  const groups = groupsOf(width);
  const partial = device.matrix(chunks, width, "f32");
  device.run(chunkKernel, {
    inputs: [x],
    outputs: [partial],
    u32: [x.rows, groups, segments, start / 4, 0],
    invocations: [groups, chunks],
  });
  return partial;
}

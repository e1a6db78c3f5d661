import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectLength, type Flat, groupsOf, type Matrix, shapeOf } from "../gpu/tensor.ts";
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
  const partial = chunkSums(device, x, width, segments, start);
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

interface Attributes {
  segments: number;
  columns: { start: number; count: number };
  outStart: number;
}

export const spec: KernelSpec<Attributes> = {
  name: "columnSum",
  cases: () =>
    [
      { rows: 1, cols: 1 },
      { rows: 0, cols: 6 },
      { rows: 31, cols: 7 },
      { rows: 33, cols: 5, outStart: 4 },
      { rows: 100, cols: 24, segments: 3 },
      { rows: 70, cols: 30, columns: { start: 8, count: 16 }, segments: 2, outStart: 8 },
      { rows: 64, cols: 70, columns: { start: 4, count: 66 } },
    ].map(({ rows, cols, segments = 1, columns = { start: 0, count: cols }, outStart = 0 }) => ({
      name: `(${rows}, ${cols}) columns ${columns.start} + ${columns.count} in ${segments}`,
      inputs: { x: matrixOf(rows, cols, noise(rows + cols)) },
      attributes: { segments, columns, outStart },
    })),
  reference: ({ x }, { segments, columns: { start, count }, outStart }) => {
    const width = count / segments;
    const sums = new Float64Array(groupsOf(width) * 4);
    for (let row = 0; row < x.rows; row++) {
      for (let c = 0; c < count; c++) sums[c % width] += x.data[row * x.cols + start + c];
    }
    const flat = (times: number) => {
      const data = new Float64Array(outStart + sums.length).fill(7);
      sums.forEach((sum, i) => data[outStart + i] = times * sum);
      return { kind: "f32" as const, rows: 1, cols: data.length, data };
    };
    return { once: flat(1), twice: flat(2) };
  },
  forward: (device, { x }, attributes) => {
    const { segments, columns, outStart } = attributes;
    const length = outStart + groupsOf(columns.count / segments) * 4;
    // Old contents must survive before outStart and must not show after it without accumulate.
    const [once, twice] = [0, 1].map(() => device.createFlat("f32", new Float32Array(length).fill(7)));
    columnSum(device, x as Matrix, once, false, attributes);
    columnSum(device, x as Matrix, twice, false, attributes);
    columnSum(device, x as Matrix, twice, true, attributes);
    return { once, twice };
  },
};

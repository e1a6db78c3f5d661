import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./gather.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/rows/gather.wgsl",
  code,
  entry: "gather_rows",
  inputs: 2,
  outputs: 1,
  staged: true,
  flats: ["read"],
  workgroup: [16, 8],
};

/** Index that selects no row: the result has 0 there. */
export const NO_ROW = 0xffffffff;

/** Rows [start, start + matrix.rows) of a table that is too large for one matrix. */
export interface RowBlock {
  /** First row in the table. */
  readonly start: number;
  /** The rows. */
  readonly matrix: Matrix;
}

/**
 * x (N, C), index u32 (R) -> y (R, C) with y[r] = x[index[r]], and 0 where index[r] >= N, such as {@link NO_ROW}.
 *
 * Its gradient, where no row is taken twice, is the same function: `gatherRows(device, dy, inverse, N)`, `inverse[n]`
 * being the r that took row n, or {@link NO_ROW}. Rows taken more than once need `embedBackward`.
 */
export function gatherRows(device: Device, x: Matrix, index: Flat, rows: number): Matrix {
  return gatherBlockRows(device, [{ start: 0, matrix: x }], index, rows);
}

/** {@link gatherRows} from a table in blocks (N, C): one dispatch each. */
export function gatherBlockRows(
  device: Device,
  blocks: readonly RowBlock[],
  index: Flat,
  rows: number,
): Matrix {
  expectLength("gatherRows() index", index, "u32", rows);
  let before: Matrix | undefined;
  for (const { start, matrix: x } of blocks) {
    const y = device.matrix(rows, x.cols, x.dtype);
    device.run(kernel, {
      inputs: [x, before ?? x], // without rows from before the second operand is bound but not read
      outputs: [y],
      flats: [index],
      u32: [start, x.rows, rows, groupsOf(x.cols), Number(!!before)],
      invocations: [groupsOf(x.cols), rows],
    });
    if (before) device.release(before);
    before = y;
  }
  if (!before) throw new RangeError("gatherRows() from no block: expected at least one");
  return before;
}

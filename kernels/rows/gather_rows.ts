import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
import { expectLength, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./gather_rows.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/rows/gather_rows.wgsl",
  code,
  entry: "gather_rows",
  inputs: 2,
  outputs: 1,
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

interface Attributes {
  index: number[];
}

export const spec: KernelSpec<Attributes> = {
  name: "gatherRows",
  cases: () =>
    [
      { rows: 5, cols: 6, index: [4, NO_ROW, 0, 5, 2] },
      { rows: 1, cols: 1, index: [0] },
      { rows: 40, cols: 17, index: [39, 3, 17] },
    ].map(({ rows, cols, index }) => ({
      name: `(${rows}, ${cols}) by ${index}`,
      inputs: { x: matrixOf(rows, cols, noise(rows * cols)) },
      attributes: { index },
    })),
  reference: ({ x }, { index }) => {
    const data = new Float64Array(index.length * x.cols);
    index.forEach((from, r) => {
      if (from >= x.rows) return;
      for (let c = 0; c < x.cols; c++) data[r * x.cols + c] = x.data[from * x.cols + c];
    });
    return { y: { kind: "matrix", rows: index.length, cols: x.cols, data } };
  },
  forward: (device, { x }, { index }) => ({
    y: gatherRows(device, x as Matrix, device.createFlat("u32", Uint32Array.from(index)), index.length),
  }),
  backward: (device, { x }, _outputs, { y }, { index }) => {
    const inverse = Uint32Array.from({ length: (x as Matrix).rows }, (_, n) => index.indexOf(n));
    const flat = device.createFlat("u32", inverse); // -1 wraps to NO_ROW
    return { x: gatherRows(device, y as Matrix, flat, (x as Matrix).rows) };
  },
};

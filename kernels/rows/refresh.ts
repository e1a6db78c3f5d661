import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { rowSlices } from "../reduce/row_slices.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./refresh.wgsl" with { type: "text" };

const shared = {
  label: "kernels/rows/refresh.wgsl",
  code,
  inputs: 0,
  staged: true, // of slices there are several only where matrices are too large for that
  flats: ["read"],
  workgroup: [16, 8],
} as const;
const matrixKernel: Kernel = { ...shared, entry: "refresh_matrix", outputs: 1 };
const transposedKernel: Kernel = { ...shared, entry: "refresh_transposed", outputs: 1 };
const bothKernel: Kernel = { ...shared, entry: "refresh_both", outputs: 2 };

/**
 * Copies a parameter to the matrices that products read it from. flat f32 (rows, cols), rows of whole groups of four
 * -> matrix (rows, cols) and transposed (cols, rows), either of which may be absent.
 */
export function refresh(
  device: Device,
  flat: Flat,
  rows: number,
  cols: number,
  matrix: Matrix | undefined,
  transposed: Matrix | undefined,
): void {
  const groups = groupsOf(cols);
  expectLength("refresh() flat", flat, "f32", rows * groups * 4);
  if (matrix) expectShape("refresh() matrix", matrix, rows, cols);
  if (transposed) expectShape("refresh() transposed", transposed, cols, rows);
  const outputs = [matrix, transposed].filter((twin) => twin !== undefined);
  if (outputs.length === 0) return;
  const kernel = matrix && transposed ? bothKernel : matrix ? matrixKernel : transposedKernel;
  for (const slice of rowSlices(device, flat, rows, groups * 4, 4)) {
    device.run(kernel, {
      outputs,
      flats: [slice.flat],
      u32: [slice.first, slice.rows, cols],
      invocations: [groups, Math.ceil(slice.rows / 4)],
    });
  }
}

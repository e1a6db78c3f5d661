import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix } from "../gpu/tensor.ts";
import code from "./vector_quantize.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/quantizer/vector_quantize.wgsl",
  code,
  entry: "vector_quantize",
  inputs: 3,
  outputs: 2,
  flats: ["read"],
  workgroup: [16, 8],
};

/** Both (N, D). */
export interface QuantizedLevel {
  /** What the codewords leave over: residual - codeword. */
  residual: Matrix;
  /** Codewords of this level and those before, added up. */
  sum: Matrix;
}

/**
 * Takes the codeword of each row off its residual and adds it to the sum of codewords. residual (N, D), codebook
 * (K, D), labels u32 (N) below K, sum (N, D) of the levels before or undefined on the first. How gradients pass (straight
 * through, van den Oord et al. 2017) is for the caller to say: this step has none of its own.
 */
export function vectorQuantize(
  device: Device,
  residual: Matrix,
  codebook: Matrix,
  labels: Flat,
  sum?: Matrix,
): QuantizedLevel {
  const { rows, cols } = residual;
  expectShape("vectorQuantize() codebook", codebook, codebook.rows, cols);
  expectLength("vectorQuantize() labels", labels, "u32", rows);
  if (sum) expectShape("vectorQuantize() sum", sum, rows, cols);
  const level = { residual: device.matrix(rows, cols), sum: device.matrix(rows, cols) };
  device.run(kernel, {
    inputs: [residual, codebook, sum ?? residual], // without a sum the third operand is bound but not read
    outputs: [level.residual, level.sum],
    flats: [labels],
    u32: [rows, groupsOf(cols), Number(sum !== undefined)],
    invocations: [groupsOf(cols), rows],
  });
  return level;
}

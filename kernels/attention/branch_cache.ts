import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../gpu/tensor.ts";
import code from "./branch_cache.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/attention/branch_cache.wgsl",
  code,
  entry: "branch_append",
  inputs: 2,
  outputs: 1,
  flats: ["read"],
  workgroup: [16, 8],
};

/** Sizes of a cache of keys and values of the beams' own tokens. */
export interface BranchShape {
  /** Beams a prompt, tokens a beam, and tokens that each beam has already. */
  width: number;
  depth: number;
  step: number;
  /** First column of k | v in the new rows. */
  column: number;
}

/**
 * Appends one token's keys and values to every beam. cache (U * width * depth, k | v), rows (U * width, .. k | v),
 * parents (U * width) the beam of the same prompt that each row continues -> cache of the same shape; rows past the
 * new token are undefined.
 */
export function branchAppend(
  device: Device,
  cache: Matrix,
  rows: Matrix,
  parents: Flat,
  { width, depth, step, column }: BranchShape,
): Matrix {
  expectShape("branchAppend() cache", cache, rows.rows * depth, cache.cols);
  expectLength("branchAppend() parents", parents, "u32", rows.rows);
  const out = device.matrix(cache.rows, cache.cols);
  device.run(kernel, {
    inputs: [cache, rows],
    outputs: [out],
    flats: [parents],
    u32: [rows.rows, width, depth, step, cache.cols / 4, column / 4],
    invocations: [cache.cols / 4, cache.rows],
  });
  return out;
}

import type { Device } from "../../gpu/device.ts";
import type { Kernel } from "../../gpu/kernel.ts";
import { expectLength, expectShape, type Flat, type Matrix } from "../../gpu/tensor.ts";
import code from "./branch_cache.wgsl" with { type: "text" };

const kernel: Kernel = {
  label: "kernels/attention/beams/branch_cache.wgsl",
  code,
  entry: "branch_append",
  inputs: 2,
  outputs: 1,
  flats: ["read"],
  workgroup: [16, 8],
};

/** Sizes of a cache of keys and values of the beams' own tokens. */
export interface BranchShape {
  /** Beams a prompt that go on, and those that were there before. */
  width: number;
  from: number;
  /** Tokens a beam, and tokens that each beam has already. */
  depth: number;
  step: number;
  /** First column of k | v in the new rows. */
  column: number;
}

/**
 * Appends one token's keys and values to every beam. cache (U * from * depth, k | v), rows (U * width, .. k | v),
 * parents (U * width) the beam of the same prompt that each row continues -> cache (U * width * depth, k | v); rows past
 * the new token are undefined.
 */
export function branchAppend(
  device: Device,
  cache: Matrix,
  rows: Matrix,
  parents: Flat,
  { width, from, depth, step, column }: BranchShape,
): Matrix {
  expectShape("branchAppend() cache", cache, rows.rows / width * from * depth, cache.cols);
  expectLength("branchAppend() parents", parents, "u32", rows.rows);
  const out = device.matrix(rows.rows * depth, cache.cols);
  device.run(kernel, {
    inputs: [cache, rows],
    outputs: [out],
    flats: [parents],
    u32: [rows.rows, width, from, depth, step, cache.cols / 4, column / 4],
    invocations: [cache.cols / 4, rows.rows],
  });
  return out;
}

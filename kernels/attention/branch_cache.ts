import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { flatOf, type KernelSpec, matrixOf, noise } from "../gpu/spec.ts";
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

export const spec: KernelSpec<BranchShape> = {
  name: "branchAppend",
  cases: () => [{
    name: "two prompts of three beams, the last step",
    inputs: {
      cache: matrixOf(12, 8, noise(1)),
      rows: matrixOf(6, 16, noise(2)),
      parents: flatOf("u32", [2, 0, 0, 1, 1, 2]),
    },
    attributes: { width: 3, depth: 2, step: 1, column: 8 },
  }],
  reference: ({ cache, rows, parents }, { width, depth, step, column }) => {
    const data = new Float64Array(cache.data.length);
    for (let beam = 0; beam < rows.rows; beam++) {
      const parent = Math.floor(beam / width) * width + parents.data[beam];
      for (let token = 0; token <= step; token++) {
        for (let c = 0; c < cache.cols; c++) {
          data[(beam * depth + token) * cache.cols + c] = token === step
            ? rows.data[beam * rows.cols + column + c]
            : cache.data[(parent * depth + token) * cache.cols + c];
        }
      }
    }
    return { out: { ...cache, data } };
  },
  forward: (device, { cache, rows, parents }, shape) => ({
    out: branchAppend(device, cache as Matrix, rows as Matrix, parents as Flat, shape),
  }),
};

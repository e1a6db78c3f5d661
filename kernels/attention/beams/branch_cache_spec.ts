import { flatOf, type KernelSpec, matrixOf, noise } from "../../gpu/spec.ts";
import type { Flat, Matrix } from "../../gpu/tensor.ts";
import { branchAppend, type BranchShape } from "./branch_cache.ts";

export const spec: KernelSpec<BranchShape> = {
  name: "branchAppend",
  cases: () => [{
    name: "two prompts of three beams, the last step",
    inputs: {
      cache: matrixOf(12, 8, noise(1)),
      rows: matrixOf(6, 16, noise(2)),
      parents: flatOf("u32", [2, 0, 0, 1, 1, 2]),
    },
    attributes: { width: 3, from: 3, depth: 2, step: 1, column: 8 },
  }, {
    name: "two prompts of five beams, of which two go on",
    inputs: {
      cache: matrixOf(30, 8, noise(3)),
      rows: matrixOf(4, 16, noise(4)),
      parents: flatOf("u32", [4, 0, 3, 3]),
    },
    attributes: { width: 2, from: 5, depth: 3, step: 2, column: 8 }, // rows past the new token are undefined
  }],
  reference: ({ cache, rows, parents }, { width, from, depth, step, column }) => {
    const data = new Float64Array(rows.rows * depth * cache.cols);
    for (let beam = 0; beam < rows.rows; beam++) {
      const parent = Math.floor(beam / width) * from + parents.data[beam];
      for (let token = 0; token <= step; token++) {
        for (let c = 0; c < cache.cols; c++) {
          data[(beam * depth + token) * cache.cols + c] = token === step
            ? rows.data[beam * rows.cols + column + c]
            : cache.data[(parent * depth + token) * cache.cols + c];
        }
      }
    }
    return { out: { ...cache, rows: rows.rows * depth, data } };
  },
  forward: (device, { cache, rows, parents }, shape) => ({
    out: branchAppend(device, cache as Matrix, rows as Matrix, parents as Flat, shape),
  }),
};

import epilogueAt from "./at_epilogue.wgsl" with { type: "text" };
import block from "./block.wgsl" with { type: "text" };
import blockAt from "./block_at.wgsl" with { type: "text" };
import { byEpilogue } from "./epilogue.ts";
import type { MatmulVariant } from "./variant.ts";

const label = "kernels/matmul/block.wgsl";
const blockKernel = { inputs: 3, outputs: 1, flats: [], workgroup: [64] } as const;

/** A 4x4 block an invocation: compiles ten times as fast as larger tiles where shaders run on the CPU of a browser. */
export const blockVariant: MatmulVariant = {
  name: "block",
  matmul: byEpilogue({ label, code: block, entry: "matmul", ...blockKernel }),
  matmulBt: byEpilogue({ label, code: block, entry: "matmul_bt", ...blockKernel }),
  matmulAt: {
    label: "kernels/matmul/block_at.wgsl",
    code: epilogueAt + blockAt,
    entry: "matmul_at",
    inputs: 2,
    outputs: 0,
    flats: ["read_write"],
    workgroup: [64],
  },
  invocations: (_form, rows, cols) => Math.ceil(rows / 4) * Math.ceil(cols / 4),
};

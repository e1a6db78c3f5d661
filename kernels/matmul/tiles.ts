import epilogueAt from "./at_epilogue.wgsl" with { type: "text" };
import { byEpilogue } from "./epilogue.ts";
import tiles from "./tiles.wgsl" with { type: "text" };
import tilesAt from "./tiles_at.wgsl" with { type: "text" };
import type { MatmulVariant } from "./variant.ts";

const label = "kernels/matmul/tiles.wgsl";
const tileKernel = { inputs: 3, outputs: 1, staged: true, flats: [], workgroup: [8] } as const;

/** Barrier-free register tiles, one invocation each: the shape that CPU adapters want. */
export const tilesVariant: MatmulVariant = {
  name: "tiles",
  matmul: byEpilogue({ label, code: tiles, entry: "matmul", ...tileKernel }),
  matmulBt: byEpilogue({ label, code: tiles, entry: "matmul_bt", ...tileKernel }),
  matmulAt: {
    label: "kernels/matmul/tiles_at.wgsl",
    code: epilogueAt + tilesAt,
    entry: "matmul_at",
    inputs: 2,
    outputs: 0,
    flats: ["read_write"],
    workgroup: [8],
  },
  invocations: (_form, rows, cols) => Math.ceil(rows / 16) * Math.ceil(cols / 16),
};

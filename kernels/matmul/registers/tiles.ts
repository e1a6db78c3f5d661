import epilogueAt from "../at_epilogue.wgsl" with { type: "text" };
import { byEpilogue } from "../epilogue.ts";
import tiles from "./tiles.wgsl" with { type: "text" };
import tilesAt from "./at.wgsl" with { type: "text" };
import tilesBlockAt from "./block_at.wgsl" with { type: "text" };
import type { MatmulVariant } from "../variant.ts";

const label = "kernels/matmul/registers/tiles.wgsl";
const tileKernel = { inputs: 3, outputs: 1, staged: true, flats: [], workgroup: [8] } as const;

/** Barrier-free register tiles, one invocation each: the shape that CPU adapters want. */
export const tilesVariant: MatmulVariant = {
  name: "tiles",
  matmul: byEpilogue({ label, code: tiles, entry: "matmul", ...tileKernel }),
  matmulBt: byEpilogue({ label, code: tiles, entry: "matmul_bt", ...tileKernel }),
  matmulAt: {
    label: "kernels/matmul/registers/at.wgsl",
    code: epilogueAt + tilesAt,
    entry: "matmul_at",
    inputs: 2,
    outputs: 0,
    flats: ["read_write"],
    workgroup: [8],
  },
  invocations: (_form, rows, cols) => Math.ceil(rows / 16) * Math.ceil(cols / 16),
};

/** The same with another order of the loads in A^T B: .6 of the time on Mesa 25, 1.2 times it on Mesa 22. */
export const tilesBlockVariant: MatmulVariant = {
  ...tilesVariant,
  name: "tiles-block",
  matmulAt: {
    ...tilesVariant.matmulAt,
    label: "kernels/matmul/registers/block_at.wgsl",
    code: epilogueAt + tilesBlockAt,
  },
  invocations: (form, rows, cols) =>
    form === "atb"
      ? 8 * Math.ceil(rows / 64) * Math.ceil(cols / 32)
      : tilesVariant.invocations(form, rows, cols),
};

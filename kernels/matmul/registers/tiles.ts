import epilogueAt from "../at_epilogue.wgsl" with { type: "text" };
import { byEpilogue } from "../epilogue.ts";
import strips from "./strips.wgsl" with { type: "text" };
import tiles from "./tiles.wgsl" with { type: "text" };
import tilesAt from "./at.wgsl" with { type: "text" };
import tilesBlockAt from "./block_at.wgsl" with { type: "text" };
import type { MatmulVariant } from "../variant.ts";

const label = "kernels/matmul/registers/tiles.wgsl";

function tilesOf(name: string, lanes: number): MatmulVariant {
  const shared = { workgroup: [lanes], constants: { WORKGROUP: lanes } } as const;
  const tileKernel = {
    label,
    code: strips + tiles,
    inputs: 3,
    outputs: 1,
    staged: true,
    flats: [],
    ...shared,
  };
  return {
    name,
    matmul: byEpilogue({ ...tileKernel, entry: "matmul" }),
    matmulBt: byEpilogue({ ...tileKernel, entry: "matmul_bt" }),
    matmulAt: {
      label: "kernels/matmul/registers/at.wgsl",
      code: epilogueAt + tilesAt,
      entry: "matmul_at",
      inputs: 2,
      outputs: 0,
      flats: ["read_write"],
      ...shared,
    },
    invocations: (_form, rows, cols) => Math.ceil(rows / 16) * Math.ceil(cols / 16),
  };
}

/** Barrier-free register tiles, one invocation each: the shape that CPU adapters want. */
export const tilesVariant = tilesOf("tiles", 8);

/** The same in workgroups of sixteen, which fill vectors twice as wide. */
export const tilesSixteenVariant: MatmulVariant = { ...tilesOf("tiles-16", 16), needs: ["512-bit vectors"] };

/** The same with another order of the loads in A^T B: .6 of the time on Mesa 25, 1.2 times it on Mesa 22. */
export const tilesBlockVariant: MatmulVariant = {
  ...tilesVariant,
  name: "tiles-block",
  matmulAt: {
    ...tilesVariant.matmulAt,
    label: "kernels/matmul/registers/block_at.wgsl",
    code: epilogueAt + tilesBlockAt,
    constants: {},
  },
  invocations: (form, rows, cols) =>
    form === "atb"
      ? 8 * Math.ceil(rows / 64) * Math.ceil(cols / 32)
      : tilesVariant.invocations(form, rows, cols),
};

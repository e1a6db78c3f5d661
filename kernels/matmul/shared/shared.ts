import type { Kernel } from "../../gpu/kernel.ts";
import type { MatmulForm, MatmulVariant } from "../variant.ts";
import epilogueAt from "../at_epilogue.wgsl" with { type: "text" };
import { byEpilogue } from "../epilogue.ts";
import shared from "./shared.wgsl" with { type: "text" };
import sharedAt from "./at.wgsl" with { type: "text" };
import half from "./half.wgsl" with { type: "text" };
import sharedTile from "./tile.wgsl" with { type: "text" };
import wide from "./wide.wgsl" with { type: "text" };

/** 64 x 64 results a workgroup of 256 invocations, 8 KiB of workgroup memory: the shape that suits most GPUs. */
export const sharedVariant: MatmulVariant = variantOf("shared", 16, 1);
/** 32 x 32 results a workgroup of 64 invocations: more workgroups, for small results. */
export const sharedSmallVariant: MatmulVariant = variantOf("shared-small", 8, 1);
/** 128 x 128 results a workgroup of 256 invocations, 16 KiB: fewer reads a result, for large ones. */
export const sharedLargeVariant: MatmulVariant = variantOf("shared-large", 16, 2);
/** `shared` in float16 arithmetic, where both operands are stored in it. */
export const sharedHalfVariant: MatmulVariant = inHalf("shared-half", sharedVariant, 16, 1);
/** The same of `shared-large`. */
export const sharedLargeHalfVariant: MatmulVariant = inHalf("shared-large-half", sharedLargeVariant, 16, 2);

function inHalf(name: string, wide: MatmulVariant, side: number, blocks: number): MatmulVariant {
  return { ...variantOf(name, side, blocks, half), needs: ["shader-f16", "float16 storage"], wide };
}

function variantOf(name: string, side: number, blocks: number, multiply = wide): MatmulVariant {
  const threads = side * side;
  const tile = 4 * side * blocks;
  const needs = multiply === half ? "shader-f16" : undefined;
  const kernel = (form: MatmulForm): Kernel => {
    const constants = {
      SIDE: side,
      BLOCKS: blocks,
      THREADS: threads,
      TILE: 16 * side * blocks,
      A_BY_ROWS: Number(form !== "atb"),
      B_BY_COLS: Number(form === "abt"),
    };
    return form === "atb"
      ? {
        label: "kernels/matmul/shared/at.wgsl",
        code: epilogueAt + sharedTile + multiply + sharedAt,
        entry: "matmul_shared_at",
        inputs: 2,
        outputs: 0,
        flats: ["read_write"],
        workgroup: [threads],
        constants,
        needs,
      }
      : {
        label: "kernels/matmul/shared/shared.wgsl",
        code: sharedTile + multiply + shared,
        entry: "matmul_shared",
        inputs: 3,
        outputs: 1,
        flats: [],
        workgroup: [threads],
        constants,
        needs,
      };
  };
  return {
    name,
    matmul: byEpilogue(kernel("ab")),
    matmulBt: byEpilogue(kernel("abt")),
    matmulAt: kernel("atb"),
    invocations: (_form, rows, cols) => Math.ceil(rows / tile) * Math.ceil(cols / tile) * threads,
  };
}

import { DeviceError } from "./device_error.ts";
import type { Flat, Matrix } from "./tensor.ts";

/**
 * One entry point of a WGSL file. The device joins the operand prelude (`operands/texture.wgsl` and
 * one of the outputs beside it, `operands/buffer.wgsl` or `operands/half.wgsl`) in front of `code`, so a kernel is written once for all of them:
 *
 * - matrices are read with `load0(row, group)`... and written with `store0(row, group, value)`...;
 * - flats are declared by the kernel itself from `@binding(10)` on, in the order of `flats`;
 * - `Params` is a uniform at `@binding(20)`: all u32 fields first, then all f32 fields.
 */
export interface Kernel {
  /** Path of the WGSL file: the label that compile errors show. */
  readonly label: string;
  /** WGSL source without the operand prelude. */
  readonly code: string;
  /** Name of the entry point in `code`. */
  readonly entry: string;
  /** Number of matrices read, at most 6. */
  readonly inputs: number;
  /** Number of matrices written, at most 2. */
  readonly outputs: number;
  /** How `code` declares each flat. */
  readonly flats: readonly ("read" | "read_write")[];
  /** Whether `code` declares `Params`. Default: true. */
  readonly params?: boolean;
  /**
   * Whether every group of its results is written, or those in {@link Dispatch.written}: where matrices are textures of a
   * CPU adapter such results go through a buffer, which is faster. Default: false.
   */
  readonly staged?: boolean;
  /** What of WebGPU's optional features the code uses; the device enables it. Default: none. */
  readonly needs?: ShaderFeature;
  /** Workgroup size, as in the WGSL attribute. */
  readonly workgroup: readonly [x: number, y?: number];
  /** Values of the `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
}

/** An optional feature of WebGPU that shaders may use. */
export type ShaderFeature = "subgroups" | "shader-f16";

/** Operands of one dispatch. */
export interface Dispatch {
  /** Matrices to read, `Kernel.inputs` of them. */
  inputs?: readonly Matrix[];
  /** Matrices to write, `Kernel.outputs` of them, none of them also an input. */
  outputs?: readonly Matrix[];
  /** Columns of the first output that are written, multiples of 4; the others stay as they are. Default: all. */
  written?: { start: number; count: number };
  /** Flats in the order of `Kernel.flats`. */
  flats?: readonly Flat[];
  /**
   * The u32 fields of `Params`. They are cached by content, so they may depend on shapes and settings but not on the
   * step: what changes every step (learning rate, counts, seeds) belongs in a flat.
   */
  u32?: readonly number[];
  /** The f32 fields of `Params`; cached as `u32` is. */
  f32?: readonly number[];
  /** Number of invocations in x (and y). One-dimensional grids fold into y: see `linear_index` in the preludes. */
  invocations: readonly [x: number, y?: number];
}

/** Bindings of matrices read start at 0, those of matrices written here. */
export const FIRST_OUTPUT = 6;
/** Binding of the first flat. */
export const FIRST_FLAT = 10;
/** Binding of `Params`. */
export const PARAMS = 20;
/** Binding of the shapes of matrices in buffers, staged ones included. */
export const SHAPES = 21;

/** Workgroups in x, beyond which a one-dimensional grid goes on in y. */
const MAX_GRID = 32768;

/** Workgroups of a dispatch; one-dimensional grids fold into y. Throws {@link DeviceError} for more than adapters allow. */
export function gridOf(kernel: Kernel, [x, y]: readonly [number, number?]): [number, number] {
  const [width, height = 1] = kernel.workgroup;
  const groupsX = Math.ceil(x / width);
  if (y !== undefined) {
    const groupsY = Math.ceil(y / height);
    if (groupsX > 65535 || groupsY > 65535) {
      throw new DeviceError(
        `${kernel.entry} needs a grid of ${groupsX} x ${groupsY} workgroups: at most 65535 each`,
      );
    }
    return [groupsX, groupsY];
  }
  return groupsX <= MAX_GRID ? [groupsX, groupsX && 1] : [MAX_GRID, Math.ceil(groupsX / MAX_GRID)];
}

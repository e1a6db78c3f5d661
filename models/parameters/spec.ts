import type { Device } from "../../kernels/gpu/device.ts";
import { rowBytes } from "../../kernels/gpu/tensor.ts";

/** A parameter (rows, cols) in the layout of Hugging Face: linear weights are (out, in), vectors (1, n). */
export interface ParameterSpec {
  /** Name that layers ask for, and in checkpoints unless `parts` says otherwise. */
  name: string;
  /** Outputs of a linear weight; 1 for a vector. */
  rows: number;
  /** Inputs of a linear weight; the length of a vector. */
  cols: number;
  /** Values before training. */
  init: "normal" | "zeros" | "ones";
  /** Whether weight decay applies: matrices yes, gains and biases no. */
  decay: boolean;
  /** Whether a layer multiplies by it, so that its transposed twin is kept. */
  product: boolean;
  /** Whether layers read it by `blocks()` of rows, so that it may have more than a matrix can hold. Default false. */
  table?: boolean;
  /**
   * The first so many rows are read but not trained: they have neither gradient nor moments. Default 0; all of them
   * freeze the parameter.
   */
  frozenRows?: number;
  /** Kept in eight bits, a scale a row, for products alone: neither trained nor read back. Default false. */
  int8?: boolean;
  /** Tensors of a checkpoint that are parts of it. Default: all of it, under its own name. */
  parts?: readonly ParameterPart[];
}

/** A rectangle of a parameter that a checkpoint stores as one tensor. */
export interface ParameterPart {
  /** Name in checkpoints. */
  name: string;
  /** Shape in the checkpoint: [rows, cols], or [cols] for a vector. */
  shape: readonly number[];
  /** Its first row in the parameter. */
  row: number;
  /** Its first column in the parameter. */
  col: number;
}

/** Most rows of a pass whose activations are, after the widest of these products, a matrix that the device can bind. */
export function mostRows({ layout, limits, dtype }: Device, specs: readonly ParameterSpec[]): number {
  if (layout === "texture") return limits.maxTextureDimension2D;
  const widest = Math.max(...specs.map(({ product, rows, cols }) => product ? Math.max(rows, cols) : cols));
  return Math.floor(limits.maxStorageBufferBindingSize / rowBytes(widest, dtype));
}

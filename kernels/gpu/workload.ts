import type { Device } from "./device.ts";
import { noise } from "./spec.ts";
import type { Flat, Matrix, Tensor } from "./tensor.ts";
import type { Operation, Variant } from "./variants.ts";

/** A call to be timed. */
export interface Workload {
  /** Runs the operation once -> a result to compare. */
  call: () => Tensor;
  /** To destroy afterwards; matrices belong to the scope around. */
  flats: Flat[];
}

/** An operation that `autotune()` can time. */
export interface TunableOperation<V extends Variant = Variant, Shape = unknown> extends Operation<V, Shape> {
  /** Shapes of a usual training step, for `doctor` to show what serves them. */
  readonly usualShapes: readonly Shape[];
  /** A call of this very shape on random numbers, in the scope that is open. */
  workload(device: Device, shape: Shape): Workload;
}

/** Matrix (rows, cols) of the innermost scope with the same random numbers at each call. */
export function noiseMatrix(device: Device, rows: number, cols: number): Matrix {
  const next = noise(rows + cols);
  const matrix = device.matrix(rows, cols);
  device.write(matrix, Float32Array.from({ length: rows * cols }, next));
  return matrix;
}

import type { Device } from "./device.ts";
import type { Tensor } from "./tensor.ts";

/** Host value of a test: row-major, float64 so that references sum in double. Flats have one row. */
export interface Values {
  readonly kind: "matrix" | "f32" | "u32";
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/** Operands by name. */
export type Named<T> = Readonly<Record<string, T>>;

/** One input of a kernel test: sizes that are odd, values with outliers, rows that are empty. */
export interface KernelCase<A> {
  readonly name: string;
  readonly inputs: Named<Values>;
  readonly attributes: A;
}

/**
 * What `tests/kernels/registry_test.ts` and the autotuner know of a kernel. `reference` is plain float64 loops and shares no
 * trick with the WGSL; `backward` is checked with central differences of the reference, never of the kernel.
 */
export interface KernelSpec<A = unknown> {
  readonly name: string;
  readonly cases: () => KernelCase<A>[];
  readonly reference: (inputs: Named<Values>, attributes: A) => Named<Values>;
  readonly forward: (device: Device, inputs: Named<Tensor>, attributes: A) => Named<Tensor>;
  /** Gradients by input name, given those of the outputs. Absent for kernels without derivative. */
  readonly backward?: (
    device: Device,
    inputs: Named<Tensor>,
    outputs: Named<Tensor>,
    gradients: Named<Tensor>,
    attributes: A,
  ) => Named<Tensor>;
  /** Largest error relative to 1 + |reference|; default 2e-5 forward, 2e-4 backward. */
  readonly tolerance?: { readonly forward?: number; readonly backward?: number };
}

/** Matrix of test values. */
export function matrixOf(rows: number, cols: number, value: (row: number, col: number) => number): Values {
  const data = new Float64Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    // Rounded to float32, so that kernel and reference see the same numbers.
    for (let col = 0; col < cols; col++) data[row * cols + col] = Math.fround(value(row, col));
  }
  return { kind: "matrix", rows, cols, data };
}

/** Flat of test values. */
export function flatOf(kind: "f32" | "u32", values: ArrayLike<number>): Values {
  const data = Float64Array.from(values, (value) => kind === "f32" ? Math.fround(value) : value);
  return { kind, rows: 1, cols: data.length, data };
}

/** Deterministic test noise in [-1, 1) with an outlier of about +-8 in every 37th value. */
export function noise(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  let count = 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const value = state / 2147483648 - 1;
    return ++count % 37 === 0 ? value * 8 : value;
  };
}

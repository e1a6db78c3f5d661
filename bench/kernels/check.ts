import { referenceAttention } from "./reference_attention.ts";
import storedLosses from "./step_reference.json" with { type: "json" };
import {
  type BenchWorkload,
  matmulInputs,
  type MatmulWorkload,
  type Outputs,
  randomArray,
} from "./workload.ts";

/** Largest error that still counts as right: float32 sums in any order, and Adam's division by small gradients. */
export const TOLERANCE = { matmul: 1e-4, attention: 1e-4, step: 2e-3 } as const;

/** Largest error of what a contender read back, against float64; relative to 1 + |reference|. */
export function errorOf(workload: BenchWorkload, outputs: Outputs): number {
  if (workload.kind === "matmul") return matmulError(workload, outputs.c);
  if (workload.kind === "attention") {
    const reference = referenceAttention(workload);
    const names = workload.backward ? ["o", "dq", "dk", "dv"] as const : ["o"] as const;
    return Math.max(...names.map((name) => largestError(outputs[name], reference[name])));
  }
  const key = `${workload.width}`;
  const stored = (storedLosses as Record<string, number[]>)[key];
  if (!stored) {
    throw new Error(
      `No reference losses of width ${key}: add them with bench/kernels/make_step_reference.ts`,
    );
  }
  return largestError(outputs.losses, stored);
}

/** C r against A (B r) for a random r (Freivalds 1977): every element counts at the price of a matrix-vector product. */
function matmulError(workload: MatmulWorkload, c: ArrayLike<number>): number {
  const { m, k, n } = workload;
  if (c?.length !== m * n) return Infinity;
  const { a, b } = matmulInputs(workload);
  const r = Float64Array.from(randomArray("r", n, 1));
  const expected = times(a, times(b, r, k, n), m, k);
  const actual = times(c, r, m, n);
  // The sum over n random terms grows as sqrt(n): errors are taken relative to that.
  const scale = Math.sqrt(k * n);
  return largestError(actual.map((x) => x / scale), expected.map((x) => x / scale));
}

function times(matrix: ArrayLike<number>, vector: Float64Array, rows: number, cols: number): Float64Array {
  const result = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) result[row] += matrix[row * cols + col] * vector[col];
  }
  return result;
}

function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual?.length !== expected.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]) / (1 + Math.abs(expected[i]));
    if (!(error <= largest)) largest = Number.isNaN(error) ? Infinity : error;
  }
  return largest;
}

import { type KernelSpec, matrixOf, type Named, noise, type Values } from "../../gpu/spec.ts";
import { padRows } from "../../gpu/tensor.ts";
import type { Matrix } from "../../gpu/tensor.ts";
import { matmulInt8, toInt8Rows } from "./rows.ts";

interface Attributes {
  /** Values of B (N, K) before they are rounded. */
  b: Values;
}

const SHAPES = [[1, 1, 1], [5, 7, 3], [33, 20, 17], [16, 40, 64], [3, 8, 576]];

/** A row of B without any value, and one with an outlier that leaves the others few steps. */
function values(n: number, k: number, next: () => number): Values {
  return matrixOf(n, k, (row, col) => row === 3 ? 0 : row === 4 && col === 1 ? 300 : next());
}

/** B after rounding: what half to even and the largest of a row say, in doubles. */
function rounded({ rows, cols, data }: Values): Float64Array {
  const result = new Float64Array(data.length);
  for (let row = 0; row < rows; row++) {
    const own = data.subarray(row * cols, (row + 1) * cols);
    const scale = Math.fround(own.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127);
    own.forEach((x, col) => {
      if (scale === 0) return;
      const floor = Math.floor(x / scale), rest = x / scale - floor;
      const whole = rest > 0.5 || rest === 0.5 && floor % 2 !== 0 ? floor + 1 : floor;
      result[row * cols + col] = scale * Math.max(-127, Math.min(127, whole));
    });
  }
  return result;
}

export const spec: KernelSpec<Attributes> = {
  name: "matmulInt8",
  cases: () =>
    SHAPES.map(([m, n, k], i) => {
      const next = noise(m + n + k);
      const inputs: Record<string, Values> = { a: matrixOf(m, k, next) };
      if (i % 3 > 0) inputs[i % 3 === 1 ? "bias" : "addend"] = matrixOf(i % 3 === 1 ? 1 : m, n, next);
      return { name: `M ${m}, N ${n}, K ${k}`, inputs, attributes: { b: values(n, k, next) } };
    }),
  reference: ({ a, bias, addend }, { b }) => {
    const weights = rounded(b);
    const data = new Float64Array(a.rows * b.rows);
    for (let m = 0; m < a.rows; m++) {
      for (let n = 0; n < b.rows; n++) {
        const at = m * b.rows + n;
        data[at] = bias?.data[n] ?? addend?.data[at] ?? 0;
        for (let k = 0; k < a.cols; k++) data[at] += a.data[m * a.cols + k] * weights[n * a.cols + k];
      }
    }
    return { c: { kind: "matrix", rows: a.rows, cols: b.rows, data } };
  },
  forward: (device, inputs, { b: { rows, cols, data } }) => {
    const { a, bias, addend } = inputs as Named<Matrix>;
    const { words, scales } = toInt8Rows(padRows(Float32Array.from(data), rows, cols), rows, cols);
    const b = {
      rows,
      cols,
      words: device.createFlat("u32", words),
      scales: device.createFlat("f32", scales),
    };
    return { c: matmulInt8(device, a, b, { bias, addend }) };
  },
  // Sums of 576 products of outliers.
  tolerance: { forward: 1e-4 },
};

import type { Device } from "../gpu/device.ts";
import { expectLength, expectShape, type Flat, groupsOf, type Matrix, shapeOf } from "../gpu/tensor.ts";
import { bucket } from "../gpu/variants.ts";
import { noiseMatrix, type TunableOperation } from "../gpu/workload.ts";
import { blockVariant } from "./block.ts";
import type { Activation } from "./epilogue.ts";
import {
  sharedHalfVariant,
  sharedLargeHalfVariant,
  sharedLargeVariant,
  sharedSmallVariant,
  sharedVariant,
} from "./shared/shared.ts";
import { tilesBlockVariant, tilesSixteenVariant, tilesVariant } from "./registers/tiles.ts";
import type { MatmulForm, MatmulVariant } from "./variant.ts";

/** A product with a result (rows, cols) that is summed over `inner`. */
export interface MatmulShape {
  /** Which operands are transposed. */
  form: MatmulForm;
  /** Rows of the result, M. */
  rows: number;
  /** Columns of the result, N. */
  cols: number;
  /** Terms of each sum, K. */
  inner: number;
}

const FORMS: readonly MatmulForm[] = ["ab", "abt", "atb"];

/** The three products: barrier-free tiles on CPU adapters, tiles in workgroup memory on GPUs. */
export const MATMUL: TunableOperation<MatmulVariant, MatmulShape> = {
  name: "matmul",
  variants: [
    tilesVariant,
    tilesBlockVariant,
    tilesSixteenVariant,
    blockVariant,
    sharedVariant,
    sharedSmallVariant,
    sharedLargeVariant,
    sharedHalfVariant,
    sharedLargeHalfVariant,
  ],
  defaultOf: (isCpu, has) =>
    isCpu ? has.has("512-bit vectors") ? tilesSixteenVariant : tilesVariant : sharedVariant,
  classOf: ({ form, rows, cols, inner }) =>
    ((FORMS.indexOf(form) * 32 + bucket(rows)) * 32 + bucket(cols)) * 32 + bucket(inner),
  className: ({ form, rows, cols, inner }) =>
    `${form} ${2 ** bucket(rows)}x${2 ** bucket(cols)}x${2 ** bucket(inner)}`,
  usualShapes: FORMS.map((form) => ({ form, rows: 2048, cols: 256, inner: 256 })),
  workload(device, { form, rows, cols, inner }) {
    const a = form === "atb" ? noiseMatrix(device, inner, rows) : noiseMatrix(device, rows, inner);
    const b = form === "abt" ? noiseMatrix(device, cols, inner) : noiseMatrix(device, inner, cols);
    if (form !== "atb") return { call: () => (form === "ab" ? matmul : matmulBt)(device, a, b), flats: [] };
    const c = device.createFlat("f32", rows * groupsOf(cols) * 4);
    const call = () => {
      matmulAt(device, a, b, c, false);
      return c;
    };
    return { call, flats: [c] };
  },
};

/** What a product does besides multiplying. */
export interface MatmulOptions {
  /** (1, cols), added to every row. */
  bias?: Matrix;
  /** (rows, cols), added to the result in place of a bias: sums without another pass, in the dtype of this one. */
  addend?: Matrix;
  /** Applied last; "gelu" is the tanh form. */
  activation?: Activation;
  /** Use only this part of B. In A B its columns, in A B^T its rows: how a vocabulary is cut in chunks. */
  columns?: { start: number; count: number };
  /** In A B, the first row of B that is used: A's columns meet the rows from there on. */
  rowStart?: number;
}

/** C = A B. a (M, K), b (K, N) -> c (M, N). A column range must start at a multiple of 4. */
export function matmul(device: Device, a: Matrix, b: Matrix, options: MatmulOptions = {}): Matrix {
  const { rowStart = 0 } = options;
  if (options.rowStart === undefined ? a.cols !== b.rows : rowStart + a.cols > b.rows) {
    throw new RangeError(
      `matmul() of ${shapeOf(a)} and ${shapeOf(b)} from row ${rowStart}: expected a.cols = b.rows`,
    );
  }
  const { start, count } = options.columns ?? { start: 0, count: b.cols };
  if (start % 4 !== 0) throw new RangeError(`matmul() columns start at ${start}: expected a multiple of 4`);
  return product(device, "ab", a, b, count, [rowStart, start / 4], options);
}

/** C = A B^T. a (M, K), b (N, K) -> c (M, N). */
export function matmulBt(device: Device, a: Matrix, b: Matrix, options: MatmulOptions = {}): Matrix {
  if (a.cols !== b.cols) {
    throw new RangeError(`matmulBt() of ${shapeOf(a)} and ${shapeOf(b)}: expected a.cols = b.cols`);
  }
  const { start, count } = options.columns ?? { start: 0, count: b.rows };
  return product(device, "abt", a, b, count, [start, 0], options);
}

/**
 * C = A^T B into a flat array whose rows take whole groups of four, or C += with `accumulate`.
 * a (K, M), b (K, N) -> c (M, N). The gradient of a weight (M, N).
 */
export function matmulAt(device: Device, a: Matrix, b: Matrix, c: Flat, accumulate: boolean): void {
  if (a.rows !== b.rows) {
    throw new RangeError(`matmulAt() of ${shapeOf(a)} and ${shapeOf(b)}: expected a.rows = b.rows`);
  }
  expectLength("matmulAt() result", c, "f32", a.cols * groupsOf(b.cols) * 4);
  const variant = variantFor(device, a, b, { form: "atb", rows: a.cols, cols: b.cols, inner: a.rows });
  device.run(variant.matmulAt, {
    inputs: [a, b],
    flats: [c],
    u32: [a.cols, b.cols, a.rows, Number(accumulate)],
    invocations: [variant.invocations("atb", a.cols, b.cols)],
  });
}

function product(
  device: Device,
  form: "ab" | "abt",
  a: Matrix,
  b: Matrix,
  cols: number,
  [bRow, bGroup]: [number, number],
  { bias, addend, activation = "none" }: MatmulOptions,
): Matrix {
  if (bias && bias.cols !== cols) {
    throw new RangeError(`matmul() bias has shape ${shapeOf(bias)}: expected (1, ${cols})`);
  }
  if (addend) expectShape("matmul() addend", addend, a.rows, cols);
  if (addend && bias) throw new RangeError("matmul() has a bias and an addend: expected one of them");
  const variant = variantFor(device, a, b, { form, rows: a.rows, cols, inner: a.cols });
  const c = device.matrix(a.rows, cols, addend?.dtype);
  const kernel = form === "ab" ? variant.matmul : variant.matmulBt;
  const added = bias ?? addend;
  const plain = !added && activation === "none" && cols % 4 === 0;
  device.run(kernel(plain ? "plain" : activation), {
    inputs: [a, b, added ?? b], // without a bias the third operand is bound but not read
    outputs: [c],
    u32: [a.rows, cols, a.cols, bias ? 1 : addend ? 2 : 0, bRow, bGroup],
    invocations: [variant.invocations(form, a.rows, cols)],
  });
  return c;
}

function variantFor(device: Device, a: Matrix, b: Matrix, shape: MatmulShape): MatmulVariant {
  const variant = device.variants.of(MATMUL, shape);
  const isWide = a.dtype === "f32" || b.dtype === "f32";
  return isWide && variant.wide ? variant.wide : variant;
}

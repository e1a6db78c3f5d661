import type { Device } from "../gpu/device.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { expectLength, type Flat, groupsOf } from "../gpu/tensor.ts";
import code from "./adafactor.wgsl" with { type: "text" };

const shared = {
  label: "kernels/moments/adafactor.wgsl",
  code,
  inputs: 0,
  outputs: 0,
  flats: ["read", "read", "read", "read_write", "read_write", "read_write", "read_write", "read_write"],
  workgroup: [64],
} as const;
const rowsKernel: Kernel = { ...shared, entry: "adafactor_rows" };
const chunksKernel: Kernel = { ...shared, entry: "adafactor_chunks" };
const columnsKernel: Kernel = { ...shared, entry: "adafactor_columns" };
const meanKernel: Kernel = { ...shared, entry: "adafactor_mean" };
const squaresKernel: Kernel = { ...shared, entry: "adafactor_squares" };
const rateKernel: Kernel = { ...shared, entry: "adafactor_rate" };
const stepKernel: Kernel = { ...shared, entry: "adafactor", workgroup: [16, 4] };

/** Rows that one invocation adds up; that of the shader. */
const CHUNK = 128;

/** Rows of a tensor that lie together. */
export interface AdafactorRows {
  /** Number of rows. */
  rows: number;
  /** Weights. */
  values: Flat;
  /** Their gradients, laid out alike. */
  gradients: Flat;
  /** Group of four in both where the first row begins. */
  base: number;
}

/** A tensor with its moments. */
export interface AdafactorTensor {
  /** Columns C. */
  cols: number;
  /** Groups of four from a row to the next. */
  stride: number;
  /** All its rows R, in order. */
  pieces: readonly AdafactorRows[];
  /** Mean of the squared gradients of each row: f32 (R). */
  rowMoments: Flat;
  /** That of each column: f32 (C in whole groups of four). */
  columnMoments: Flat;
}

/** What {@link adafactor} computes with; tensors take turns. */
export interface AdafactorScratch {
  /** f32 of {@link adafactorScratch}. */
  partials: Flat;
  /** f32 of {@link adafactorScratch}. */
  sums: Flat;
}

/** Settings that stay the same for all steps. */
export interface AdafactorOptions {
  /** Added to squared gradients. */
  eps: number;
  /** Largest root mean square of an update before it is multiplied by the learning rate. */
  clipThreshold: number;
  /** Decoupled: values shrink by learning rate * weightDecay. */
  weightDecay: number;
}

/** Elements of the two arrays of scratch that a tensor needs. */
export function adafactorScratch(
  { cols, pieces }: { cols: number; pieces: readonly { rows: number }[] },
): { partials: number; sums: number } {
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
  return {
    partials: sum(pieces.map(({ rows }) => Math.ceil(rows / CHUNK))) * groupsOf(cols) * 4,
    sums: 4 + sum(pieces.map(({ rows }) => rows)),
  };
}

/**
 * One step of Adafactor (Shazeer and Stern 2018) on a tensor (R, C), in place, without first moment and without scaling by
 * the parameter: `Adafactor(scale_parameter=False, relative_step=False)` of transformers. A tensor of one row has the same
 * moments as one that is not factored. hyper f32 (4): learning rate, decay b of the moments, 1 - b. clip f32 (4): result of
 * `gradNorm`; gradients are scaled by its second element, and where its third says that they are not finite, nothing changes.
 */
export function adafactorStep(
  device: Device,
  { cols, stride, pieces, rowMoments, columnMoments }: AdafactorTensor,
  { partials, sums }: AdafactorScratch,
  hyper: Flat,
  clip: Flat,
  { eps, clipThreshold, weightDecay }: AdafactorOptions,
): void {
  const groups = groupsOf(cols);
  const needed = adafactorScratch({ cols, pieces });
  const rows = needed.sums - 4;
  expectLength("adafactorStep() row moments", rowMoments, "f32", rows);
  expectLength("adafactorStep() column moments", columnMoments, "f32", groups * 4);
  expectLength("adafactorStep() partials", partials, "f32", needed.partials);
  expectLength("adafactorStep() sums", sums, "f32", needed.sums);
  expectLength("adafactorStep() hyper", hyper, "f32", 4);
  expectLength("adafactorStep() clip", clip, "f32", 4);
  const run = (
    kernel: Kernel,
    piece: AdafactorRows,
    count: number,
    first: number,
    invocations: [number, number?],
  ) => {
    device.run(kernel, {
      flats: [hyper, clip, piece.gradients, rowMoments, columnMoments, partials, sums, piece.values],
      u32: [count, cols, stride, piece.base, first, rows],
      f32: [eps, clipThreshold, weightDecay],
      invocations,
    });
  };
  const firsts: number[] = [];
  let first = 0, chunks = 0;
  for (const piece of pieces) {
    const last = ((piece.rows - 1) * stride + piece.base + groups) * 4;
    expectLength("adafactorStep() values", piece.values, "f32", last);
    expectLength("adafactorStep() gradients", piece.gradients, "f32", last);
    const own = Math.ceil(piece.rows / CHUNK);
    run(rowsKernel, piece, piece.rows, first, [piece.rows]);
    run(chunksKernel, piece, piece.rows, chunks, [groups, own]);
    firsts.push(first);
    first += piece.rows;
    chunks += own;
  }
  run(columnsKernel, pieces[0], chunks, 0, [groups]);
  run(meanKernel, pieces[0], rows, 0, [64]);
  pieces.forEach((piece, i) => run(squaresKernel, piece, piece.rows, firsts[i], [piece.rows]));
  run(rateKernel, pieces[0], rows, 0, [64]);
  pieces.forEach((piece, i) => run(stepKernel, piece, piece.rows, firsts[i], [groups, piece.rows]));
}

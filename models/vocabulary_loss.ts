import { crossEntropyBackward, crossEntropyChunk, crossEntropyRows } from "../kernels/cross_entropy.ts";
import { matmul, matmulAt, matmulBt } from "../kernels/matmul.ts";
import type { Tape } from "../kernels/tape.ts";
import { type Flat, groupsOf, type Matrix } from "../kernels/tensor.ts";
import type { Parameters } from "./parameters.ts";

/** Targets of the rows of a hidden matrix, with scratch of the same length (rows R). */
export interface LossRows {
  /** Token ids to predict (R), u32. */
  targets: Flat;
  /** Loss weights (R), already divided by their sum over the step. */
  weights: Flat;
  /** Scratch f32 (4 R). */
  stats: Flat;
  /** Weighted loss of each row (R), written. */
  rowLoss: Flat;
}

/** Settings of the cross-entropy over the vocabulary. */
export interface LossOptions {
  /** Mass spread evenly over the vocabulary (Szegedy et al. 2016). */
  labelSmoothing: number;
  /** Columns of logits that exist at a time; more than one chunk are computed again in the backward pass. */
  chunk?: number;
}

const DEFAULT_CHUNK = 8192;

/**
 * Cross-entropy of hidden (R, C) against targets through the output matrix `weight` (V, C). Logits exist in chunks of
 * the vocabulary only; their log-sum-exp is folded in chunk by chunk. Row losses land in `rows.rowLoss`, and backward
 * starts from them: the loss is their sum.
 */
export function vocabularyLoss(
  tape: Tape,
  parameters: Parameters,
  hidden: Matrix,
  weight: string,
  rows: LossRows,
  { labelSmoothing, chunk = DEFAULT_CHUNK }: LossOptions,
): void {
  const { device } = tape;
  const head = parameters.matrix(weight);
  const transposed = parameters.transposed(weight);
  const vocabulary = head.rows;
  const chunks: { start: number; count: number }[] = [];
  for (let start = 0; start < vocabulary; start += chunk) {
    chunks.push({ start, count: Math.min(chunk, vocabulary - start) });
  }
  const logitsOf = (columns: { start: number; count: number }) =>
    transposed
      ? matmul(device, hidden, transposed, { columns })
      : matmulBt(device, hidden, head, { columns });

  let kept: Matrix | undefined;
  for (const columns of chunks) {
    const logits = logitsOf(columns);
    crossEntropyChunk(device, logits, rows.targets, rows.stats, {
      start: columns.start,
      first: columns.start === 0,
    });
    if (chunks.length === 1) kept = logits;
    else device.release(logits);
  }
  const smoothing = labelSmoothing;
  crossEntropyRows(device, rows.stats, rows.weights, rows.rowLoss, {
    rows: hidden.rows,
    vocabulary,
    smoothing,
  });

  tape.record(() => {
    const gradient = parameters.gradient(weight);
    const stride = groupsOf(head.cols) * 4;
    for (const columns of chunks) {
      const logits = kept ?? logitsOf(columns);
      const dLogits = crossEntropyBackward(device, logits, rows.targets, rows.weights, rows.stats, {
        start: columns.start,
        vocabulary,
        smoothing,
      });
      device.release(logits);
      const part = device.slice(gradient, columns.start * stride, columns.count * stride);
      matmulAt(device, dLogits, hidden, part, true);
      tape.accumulate(hidden, matmul(device, dLogits, head, { rowStart: columns.start }));
      device.release(dLogits);
    }
  });
}

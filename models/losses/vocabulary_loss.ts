import {
  crossEntropyBackward,
  crossEntropyChunk,
  crossEntropyRows,
} from "../../kernels/loss/cross_entropy.ts";
import { matmul, matmulAt, matmulBt } from "../../kernels/matmul/matmul.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Tape } from "../../kernels/tape.ts";
import { type Flat, groupsOf, type Matrix } from "../../kernels/gpu/tensor.ts";
import type { WeightBlock, Weights } from "../parameters/parameters.ts";

/** Targets of the rows of a hidden matrix, with scratch of the same length (rows R). */
export interface LossRows {
  /** Token ids to predict (R), u32. */
  targets: Flat;
  /** Loss weights (R), already divided by their sum over the step. */
  weights: Flat;
  /** Those that backward starts from, where a `LossScaling` scales them. Default: `weights`. */
  gradientWeights?: Flat;
  /** Scratch f32 (4 R). */
  stats: Flat;
  /** Weighted loss of each row (R), written. */
  rowLoss: Flat;
}

/** Settings of the cross-entropy over the vocabulary. */
export interface LossOptions {
  /** Mass spread evenly over the vocabulary (Szegedy et al. 2016). */
  labelSmoothing: number;
  /** Columns of logits that are computed at a time; chunks that are too many to keep are computed again in the backward pass. */
  chunk?: number;
  /** Logits of all chunks that are kept for the backward pass at most. Default: as many as a chunk of 2,048 rows has. */
  mostKept?: number;
}

/** Columns of logits at a time, unless an option says otherwise. */
export const DEFAULT_CHUNK = 8192;
const MOST_KEPT = 2048 * DEFAULT_CHUNK;

/**
 * Cross-entropy of hidden (R, C) against targets through the output matrix `weight` (V, C). Logits are computed in chunks of
 * the vocabulary, of which only as many exist as memory is spent on; their log-sum-exp is folded in chunk by chunk. Row
 * losses land in `rows.rowLoss`, and backward starts from them: the loss is their sum.
 */
export function vocabularyLoss(
  tape: Tape,
  weights: Weights,
  hidden: Matrix,
  weight: string,
  rows: LossRows,
  { labelSmoothing, chunk = DEFAULT_CHUNK, mostKept = MOST_KEPT }: LossOptions,
): void {
  const { device } = tape;
  const blocks = weights.blocks(weight);
  const chunks = vocabularyChunks(blocks, chunk);
  const { start: lastStart, rows: lastRows } = blocks.at(-1)!;
  const vocabulary = lastStart + lastRows;

  const keeps = chunks.length === 1 || hidden.rows * vocabulary <= mostKept;
  const kept: Matrix[] = [];
  for (const part of chunks) {
    const logits = chunkLogits(device, hidden, part);
    const start = part.block.start + part.start;
    crossEntropyChunk(device, logits, rows.targets, rows.stats, { start, first: start === 0 });
    if (keeps) kept.push(logits);
    else device.release(logits);
  }
  const smoothing = labelSmoothing;
  crossEntropyRows(device, rows.stats, rows.weights, rows.rowLoss, {
    rows: hidden.rows,
    vocabulary,
    smoothing,
  });

  tape.record(() => {
    const gradientWeights = rows.gradientWeights ?? rows.weights;
    for (const [i, part] of chunks.entries()) {
      const { block, start } = part;
      const logits = kept[i] ?? chunkLogits(device, hidden, part);
      const dLogits = crossEntropyBackward(device, logits, rows.targets, gradientWeights, rows.stats, {
        start: block.start + start,
        vocabulary,
        smoothing,
      });
      device.release(logits);
      chunkBackward(tape, hidden, part, dLogits);
    }
  });
}

/** Rows [start, start + count) of a block of an output matrix: a part of the vocabulary. */
export interface OutputChunk {
  /** The block. */
  block: WeightBlock;
  /** First row in the block. */
  start: number;
  /** Number of rows. */
  count: number;
}

/** Cuts the blocks of an output matrix (V, C) into chunks of at most `chunk` rows, a multiple of 16. */
export function vocabularyChunks(blocks: readonly WeightBlock[], chunk: number): OutputChunk[] {
  return blocks.flatMap((block) =>
    Array.from({ length: Math.ceil(block.rows / chunk) }, (_, i) => {
      const start = i * chunk;
      return { block, start, count: Math.min(chunk, block.rows - start) };
    })
  );
}

/** The reverse of {@link chunkLogits}: dLogits (R, count), spent, adds to the gradients of the chunk and of hidden. */
export function chunkBackward(
  tape: Tape,
  hidden: Matrix,
  { block, start, count }: OutputChunk,
  dLogits: Matrix,
): void {
  const { device } = tape;
  if (block.gradient) {
    const stride = groupsOf(hidden.cols) * 4;
    const gradient = device.slice(block.gradient, start * stride, count * stride);
    matmulAt(device, dLogits, hidden, gradient, true);
  }
  tape.accumulate(hidden, matmul(device, dLogits, block.matrix, { rowStart: start }));
  device.release(dLogits);
}

/** hidden (R, C) -> logits (R, count) of a chunk. */
export function chunkLogits(
  device: Device,
  hidden: Matrix,
  { block: { matrix, transposed, rows }, start, count }: OutputChunk,
): Matrix {
  const columns = count === rows ? undefined : { start, count };
  return transposed
    ? matmul(device, hidden, transposed, { columns })
    : matmulBt(device, hidden, matrix, { columns });
}

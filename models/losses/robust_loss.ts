import type { Device } from "../../kernels/gpu/device.ts";
import {
  robustLossBackward,
  robustLossChunk,
  robustLossRows,
  type RobustTargets,
} from "../../kernels/loss/robust.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import type { Weights } from "../parameters/parameters.ts";
import {
  chunkBackward,
  chunkLogits,
  DEFAULT_CHUNK,
  type LossRows,
  vocabularyChunks,
} from "./vocabulary_loss.ts";

/** A distributionally robust term with what it keeps from its forward to its backward pass (rows R, items N). */
export interface RobustTerm {
  /** Factor of the term beside the loss that it is added to. */
  coefficient: number;
  /** f32 (N), see {@link robustScales}. */
  scales: Flat;
  /** Scratch f32 (4 R), not that of the other loss. */
  stats: Flat;
}

/** Power of an item's share of the targets: that of the authors' code. */
const PROPENSITY_POWER = 0.05;

/**
 * Factors (N) of squared errors: propensity / temperature, with propensity ((f + 1) / sum of (f + 1))^0.05 of an item
 * that is a target f times.
 */
export function robustScales(
  targetCounts: ArrayLike<number>,
  temperature: number,
): Float32Array<ArrayBuffer> {
  const counts = Array.from(targetCounts, (count) => count + 1);
  const total = counts.reduce((a, b) => a + b, 0);
  return Float32Array.from(counts, (count) => (count / total) ** PROPENSITY_POWER / temperature);
}

/** Room for the term of `rows` rows, until {@link destroyRobustTerm}. */
export function createRobustTerm(
  device: Device,
  rows: number,
  { coefficient, scales }: { coefficient: number; scales: Float32Array<ArrayBuffer> },
): RobustTerm {
  return {
    coefficient,
    scales: device.createFlat("f32", scales),
    stats: device.createFlat("f32", 4 * rows),
  };
}

/** Gives the memory of {@link createRobustTerm} back. */
export function destroyRobustTerm(device: Device, { scales, stats }: RobustTerm): void {
  device.destroy(scales);
  device.destroy(stats);
}

/**
 * Adds to `rows.rowLoss`, which another loss wrote, the worst case of squared errors over distributions of items near
 * that of the train split: coefficient * weight * ln sum_j exp(scale_j (s_j - [j is the target])^2), with s the products
 * of hidden (R, C) and all rows of `weight` (N, C). Source: DROS, Yang et al. 2023 (SIGIR,
 * doi:10.1145/3539618.3591624), as in the authors' code.
 */
export function robustLoss(
  tape: Tape,
  weights: Weights,
  hidden: Matrix,
  weight: string,
  rows: Pick<LossRows, "targets" | "weights" | "rowLoss">,
  { coefficient, scales, stats }: RobustTerm,
  chunk: number = DEFAULT_CHUNK,
): void {
  const { device } = tape;
  const chunks = vocabularyChunks(weights.blocks(weight), chunk);
  const operands: RobustTargets = { targets: rows.targets, scales };
  // Scores of its own, also beside a cross-entropy that has computed the same: the term is rare, sharing would tie the
  // two losses together, chunk by chunk.
  let kept: Matrix | undefined;
  for (const part of chunks) {
    const scores = chunkLogits(device, hidden, part);
    const start = part.block.start + part.start;
    robustLossChunk(device, scores, operands, stats, { start, first: start === 0 });
    if (chunks.length === 1) kept = scores;
    else device.release(scores);
  }
  robustLossRows(device, stats, rows.weights, rows.rowLoss, { rows: hidden.rows, coefficient });

  tape.record(() => {
    for (const part of chunks) {
      const scores = kept ?? chunkLogits(device, hidden, part);
      const start = part.block.start + part.start;
      const dScores = robustLossBackward(device, scores, operands, rows.weights, stats, {
        start,
        coefficient,
      });
      device.release(scores);
      chunkBackward(tape, hidden, part, dScores);
    }
  });
}

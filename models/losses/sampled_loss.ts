import { sampledBce, sampledBceBackward } from "../../kernels/loss/sampled_bce.ts";
import type { TokenOccurrences } from "../../kernels/rows/embedding.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import { embedding } from "../layers/layers.ts";
import type { Weights } from "../parameters/parameters.ts";
import type { LossRows } from "./vocabulary_loss.ts";

/** Items that a sampled loss compares. */
export interface SampledItems {
  /** u32 (2 R): the targets, then a negative each. */
  items: Flat;
  /** Where each item stands among them. */
  occurrences: TokenOccurrences;
}

/**
 * Binary cross-entropy of hidden (R, C) against its target and one negative through the rows of `weight` (N, C); see
 * `sampledBce()`. Row losses land in `rows.rowLoss`, and backward starts from them: the loss is their sum.
 */
export function sampledLoss(
  tape: Tape,
  weights: Weights,
  hidden: Matrix,
  weight: string,
  { items, occurrences }: SampledItems,
  rows: Pick<LossRows, "weights" | "rowLoss">,
): void {
  const { device } = tape;
  const candidates = embedding(tape, weights, weight, items, occurrences);
  sampledBce(device, hidden, candidates, rows.weights, rows.rowLoss);
  tape.record(() => {
    const { dHidden, dItems } = sampledBceBackward(device, hidden, candidates, rows.weights);
    tape.accumulate(hidden, dHidden);
    tape.accumulate(candidates, dItems);
  });
}

import type { RowLists } from "../../kernels/loss/listwise_softmax.ts";
import type { Flat, Matrix } from "../../kernels/gpu/tensor.ts";
import type { Tape } from "../../kernels/tape.ts";

/** A line of the registry: what a ranker learns from lists in which one candidate is right. */
export interface RankingLoss {
  /** Name for `--loss`. */
  readonly name: string;
  /** One line for help texts. */
  readonly summary: string;
  /** Weighted loss of each list into `listLoss` f32 (L); backward starts from it. scores (R, 1), lists L. */
  record(tape: Tape, scores: Matrix, lists: RowLists, listLoss: Flat): void;
}

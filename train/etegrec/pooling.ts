import { intervalMean, intervalMeanBackward } from "../../kernels/relative_attention/interval_mean.ts";
import type { Tape } from "../../kernels/tape.ts";
import type { Matrix } from "../../kernels/gpu/tensor.ts";
import type { PackedPairs } from "../../models/packing/packed_pairs.ts";

/**
 * Mean of the encoder's states that the first decoder row of each pair sees, which may be a prefix that several pairs
 * share. states (Te, C) -> (N, C), pairs in the order of packing; 0 where there is no pair. For models with an output
 * matrix a level: with a single one, every target has a row.
 */
export function meanPooling(tape: Tape, states: Matrix, packed: PackedPairs): Matrix {
  const { rows: queries, inverse: places } = packed.heads[0];
  const means = { queries, places, intervals: packed.crossIntervals, viewers: packed.crossViewers };
  const pooled = intervalMean(tape.device, states, means);
  tape.record(() => {
    const dy = tape.gradient(pooled);
    if (dy) tape.accumulate(states, intervalMeanBackward(tape.device, dy, means, states.rows));
  });
  return pooled;
}

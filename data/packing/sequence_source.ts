import type { PackInput } from "./sequences.ts";

/** Sequences to train on, made one at a time: a corpus of text is never in memory as tokens and targets at once. */
export interface SequenceSource {
  /** Number of sequences. */
  readonly count: number;
  /** Names of the tasks that they belong to. */
  readonly tasks: readonly string[];
  /** Place of sequence `i`'s task in `tasks`. */
  taskOf(i: number): number;
  /** Sequence `i`: the same whenever it is asked for. */
  make(i: number): PackInput;
  /** The sequences of an epoch in training order: all of them once, or as often as the weights of their tasks say. */
  order(epoch: number, seed: number): Uint32Array;
}

import { type Capacity, packBatch, type PackedBatch, planBatches } from "../../data/packing/batches.ts";
import type { SequenceSource } from "../../data/packing/sequence_source.ts";
import { UserError } from "../../base/user_error.ts";

/** How sequences become optimizer steps. */
export interface PackingOptions {
  /** Packed tokens T of a micro batch. */
  tokensPerBatch: number;
  /** Micro batches of an optimizer step, where `batchSize` is 0. */
  gradientAccumulationSteps: number;
  /** Sequences of an optimizer step, whatever their tokens: as many micro batches as they need. 0: see above. */
  batchSize: number;
}

/** One forward and backward pass. */
export interface MicroBatch {
  /** Its rows. */
  packed: PackedBatch;
  /** (R) task of each target row; `tasks.length` for unused rows. */
  labels: Uint32Array<ArrayBuffer>;
  /** Sequences in it, by their numbers in the source. */
  members: readonly number[];
}

/**
 * A source's sequences in packed micro batches, grouped in optimizer steps. What step `s` of epoch `e` holds depends on
 * the seed alone, so a resumed run sees the same data; the last step of an epoch takes what is left.
 */
export class PackedData {
  /** Rows of every micro batch. */
  readonly capacity: Capacity;
  /** Where the sequences come from. */
  readonly source: SequenceSource;
  /** Sequences, input tokens and targets of the first epoch. */
  readonly epoch: { sequences: number; tokens: number; targets: number };
  /** Input tokens of the longest sequence. */
  readonly longest: number;
  #options: PackingOptions;
  #sizes: { tokens: number; targets: number }[] = [];
  #seed: number;
  #plan: { epoch: number; steps: number[][][] } | undefined;

  /**
   * Sizes every sequence once.
   * @throws {UserError} for an epoch without sequences and, in the first plan, for a sequence that no micro batch holds.
   */
  constructor(source: SequenceSource, options: PackingOptions, seed: number) {
    this.source = source;
    this.#options = options;
    this.#seed = seed;
    let most = 0;
    let longest = 0;
    for (let i = 0; i < source.count; i++) {
      const { tokens, targets } = source.make(i);
      this.#sizes.push({ tokens: tokens.length, targets: targets.length });
      most = Math.max(most, targets.length);
      longest = Math.max(longest, tokens.length);
    }
    this.longest = longest;
    const order = source.order(0, seed);
    if (order.length === 0) {
      throw new UserError(
        `Cannot train on an epoch without sequences: the weights of ${
          source.tasks.join(", ")
        } leave none of ` +
          `${source.count}. Raise them`,
      );
    }
    let tokens = 0;
    let targets = 0;
    for (const i of order) {
      tokens += this.#sizes[i].tokens;
      targets += this.#sizes[i].targets;
    }
    this.epoch = { sequences: order.length, tokens, targets };
    const T = options.tokensPerBatch;
    // Room for targets follows their share of the tokens, so that logits exist for few rows more than needed.
    const rows = Math.max(most, Math.ceil(T * (targets / tokens) * 1.1 / 16) * 16 + 64);
    this.capacity = { tokens: T, rows: Math.min(T, rows) };
  }

  /** Optimizer steps of epoch `epoch`. */
  steps(epoch: number): number {
    return this.#planOf(epoch).length;
  }

  /** Micro batches of optimizer step `step` (from 0) of epoch `epoch`. */
  microBatchCount(epoch: number, step: number): number {
    return this.#planOf(epoch)[step].length;
  }

  /** Micro batches of the largest optimizer step of epoch `epoch`. */
  mostMicroBatches(epoch: number): number {
    return Math.max(...this.#planOf(epoch).map((step) => step.length));
  }

  /** Packed tokens of optimizer step `step` (from 0) of epoch `epoch`. */
  tokens(epoch: number, step: number): number {
    return this.#planOf(epoch)[step].flat().reduce((sum, i) => sum + this.#sizes[i].tokens, 0);
  }

  /** Micro batches of optimizer step `step` (from 0) of epoch `epoch`: all, or those from `first` up to, not including, `end`. */
  microBatches(epoch: number, step: number, first = 0, end = Infinity): MicroBatch[] {
    return this.#planOf(epoch)[step].slice(first, end).map((members) => {
      const packed = packBatch(members.map((i) => this.source.make(i)), this.capacity);
      const labels = new Uint32Array(this.capacity.rows).fill(this.source.tasks.length);
      let at = 0;
      for (const i of members) {
        const end = at + this.#sizes[i].targets;
        labels.fill(this.source.taskOf(i), at, end);
        at = end;
      }
      return { packed, labels, members };
    });
  }

  #planOf(epoch: number): number[][][] {
    if (this.#plan?.epoch !== epoch) {
      this.#plan = { epoch, steps: this.#steps(this.source.order(epoch, this.#seed)) };
    }
    return this.#plan.steps;
  }

  #steps(order: Uint32Array): number[][][] {
    const { batchSize, gradientAccumulationSteps: accumulation } = this.#options;
    const pack = (members: Uint32Array) => planBatches(this.#sizes, this.capacity, members);
    if (batchSize > 0) return parts(order, batchSize).map(pack);
    return parts(pack(order), accumulation);
  }
}

/** `list` in pieces of `size`; the last takes what is left. */
function parts<T extends { length: number; slice(start: number, end: number): T }>(
  list: T,
  size: number,
): T[] {
  const pieces = [];
  for (let start = 0; start < list.length; start += size) pieces.push(list.slice(start, start + size));
  return pieces;
}

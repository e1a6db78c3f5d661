import { type Capacity, packBatch, type PackedBatch, planBatches } from "../data/batches.ts";
import type { Dataset } from "../data/dataset.ts";
import { historySequence, type PackInput, sampleSequence } from "../data/sequences.ts";
import { shuffledOrder } from "../data/shuffle.ts";
import { UserError } from "../data/user_error.ts";
import type { SftConfig } from "./sft_config.ts";

type Settings = Pick<
  SftConfig,
  | "mode"
  | "maxHistory"
  | "historyWeight"
  | "firstItemWeight"
  | "recencyWeight"
  | "maxSequenceItems"
  | "tokensPerBatch"
>;

/**
 * Train sequences in packed batches. Sequences are made when their batch is; only their sizes are held. Batch `b` of
 * epoch `e` depends on the seed alone, so a resumed run sees the same data.
 */
export class SftData {
  readonly capacity: Capacity;
  readonly sequences: number;
  /** Input tokens of one epoch. */
  readonly tokens: number;
  #sizes: { tokens: number; targets: number }[];
  #make: (i: number) => PackInput;
  #seed: number;
  #plan: { epoch: number; batches: number[][] } | undefined;

  constructor(
    dataset: Dataset,
    itemTokens: readonly Uint32Array[],
    bos: number,
    settings: Settings,
    seed: number,
  ) {
    this.#seed = seed;
    this.#make = settings.mode === "samples"
      ? sampleMaker(dataset, itemTokens, bos, settings)
      : historyMaker(dataset, itemTokens, bos, settings);
    this.sequences = settings.mode === "samples"
      ? dataset.samples.train.length
      : historyParts(dataset, settings.maxSequenceItems).length;
    if (this.sequences === 0) {
      throw new UserError(
        `Cannot train on ${dataset.name}: its train split is empty, expected at least one sample`,
      );
    }
    this.#sizes = [];
    for (let i = 0; i < this.sequences; i++) {
      const { tokens, targets } = this.#make(i);
      this.#sizes.push({ tokens: tokens.length, targets: targets.length });
    }
    this.tokens = this.#sizes.reduce((sum, size) => sum + size.tokens, 0);
    const targets = this.#sizes.reduce((sum, size) => sum + size.targets, 0);
    const T = settings.tokensPerBatch;
    // Room for targets follows their share of the tokens, so that logits exist for few rows more than needed.
    const rows = Math.min(T, Math.ceil(T * (targets / this.tokens) * 1.1 / 16) * 16 + 64);
    this.capacity = { tokens: T, rows };
  }

  /** Number of batches of epoch `epoch`. */
  batches(epoch: number): number {
    return this.#planOf(epoch).length;
  }

  batch(epoch: number, index: number): PackedBatch {
    return packBatch(this.#planOf(epoch)[index].map(this.#make), this.capacity);
  }

  #planOf(epoch: number): number[][] {
    if (this.#plan?.epoch !== epoch) {
      const order = shuffledOrder(this.sequences, this.#seed, epoch);
      this.#plan = { epoch, batches: planBatches(this.#sizes, this.capacity, order) };
    }
    return this.#plan.batches;
  }
}

function sampleMaker(
  dataset: Dataset,
  itemTokens: readonly Uint32Array[],
  bos: number,
  { maxHistory, historyWeight, recencyWeight }: Settings,
): (i: number) => PackInput {
  const { train } = dataset.samples;
  return (i) => {
    const { history, target } = train[i];
    const items = history.slice(-maxHistory).map((item) => itemTokens[item]);
    const weight = recency(recencyWeight, train.length < 2 ? 1 : i / (train.length - 1));
    return sampleSequence(items, itemTokens[target], { bos, historyWeight, weight });
  };
}

function historyMaker(
  dataset: Dataset,
  itemTokens: readonly Uint32Array[],
  bos: number,
  { firstItemWeight, recencyWeight, maxSequenceItems }: Settings,
): (i: number) => PackInput {
  const parts = historyParts(dataset, maxSequenceItems);
  return (i) => {
    const { items, times } = parts[i];
    return historySequence(items.map((item) => itemTokens[item]), {
      bos,
      firstItemWeight,
      weights: times?.map((time) => recency(recencyWeight, time)),
    });
  };
}

// Tastes drift: a target at the end of the train period weighs 1, one at its start exp(-strength).
function recency(strength: number, time: number): number {
  return Math.exp(-strength * (1 - time));
}

function historyParts({ histories }: Dataset, maxItems: number): { items: number[]; times?: number[] }[] {
  return histories.flatMap(({ items, times }) => {
    const parts = [];
    for (let start = 0; start < items.length; start += maxItems) {
      const end = start + maxItems;
      parts.push({ items: items.slice(start, end), times: times?.slice(start, end) });
    }
    return parts;
  });
}

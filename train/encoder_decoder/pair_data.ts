import { planBatches } from "../../data/packing/batches.ts";
import type { Dataset } from "../../data/dataset.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import { UserError } from "../../base/user_error.ts";
import type { PairGroup } from "../../models/packing/packed_pairs.ts";
import { joined } from "../../prompts/code_tokens.ts";
import { historyParts } from "../run/item_sequences.ts";

/** A history and the items that are predicted from it, as item numbers. */
export interface ItemGroup {
  /** Oldest first. */
  history: readonly number[];
  /** By ascending `end`. */
  targets: readonly { end: number; item: number }[];
}

/** How train histories become groups, and groups steps. */
export interface PairDataOptions {
  /**
   * Whether one group serves all targets of a history, each predicted from the items before it, as a causal encoder
   * allows; else a group is a train sample.
   */
  causal: boolean;
  /** Items that a target is predicted from at most. */
  maxHistory: number;
  /** Items that the encoder reads in a micro batch. */
  itemsPerBatch: number;
  /** Micro batches of a step; the last of an epoch may have fewer. Default: 1. */
  accumulation?: number;
}

/**
 * Train samples for an encoder-decoder in steps. Planning counts items, not tokens: SIDs may change between epochs.
 * What a step holds depends on the seed alone, so a resumed run sees the same data.
 */
export class PairData {
  /** Items that the encoder reads in a micro batch, and targets, at most. */
  readonly capacity: { items: number; pairs: number };
  /** Groups of an epoch, items that they read, and targets. */
  readonly epoch: { groups: number; items: number; targets: number };
  #groups: readonly ItemGroup[];
  #sizes: { tokens: number; targets: number }[];
  #seed: number;
  #accumulation: number;
  #plan: { epoch: number; batches: number[][] } | undefined;

  /** @throws {UserError} where nothing is left to train on, and for a history that no step can hold. */
  constructor(dataset: Dataset, options: PairDataOptions, seed: number) {
    const groups = options.causal
      ? historyGroups(dataset, options.maxHistory)
      : sampleGroups(dataset, options.maxHistory);
    if (groups.length === 0) {
      throw new UserError(
        `Cannot train on ${dataset.name}: no train sample has a history, expected at least one that does`,
      );
    }
    this.#seed = seed;
    this.#accumulation = options.accumulation ?? 1;
    this.#groups = groups;
    this.#sizes = groups.map(({ history, targets }) => ({ tokens: history.length, targets: targets.length }));
    const items = this.#sizes.reduce((sum, { tokens }) => sum + tokens, 0);
    const targets = this.#sizes.reduce((sum, { targets }) => sum + targets, 0);
    const most = this.#sizes.reduce((most, { targets }) => Math.max(most, targets), 0);
    this.epoch = { groups: groups.length, items, targets };
    const room = options.itemsPerBatch;
    // Room for targets follows their share of the items, so that few decoder rows are left empty.
    const pairs = Math.max(most, Math.ceil(room * (targets / items) * 1.1 / 16) * 16);
    this.capacity = { items: room, pairs: Math.min(room, pairs) };
    this.steps(0); // plans, so that what fits no step is told now
  }

  /** Steps of epoch `epoch`. */
  steps(epoch: number): number {
    return Math.ceil(this.#planOf(epoch).length / this.#accumulation);
  }

  /** What step `step` (from 0) of epoch `epoch` learns, by micro batch. */
  groups(epoch: number, step: number): ItemGroup[][] {
    const first = step * this.#accumulation;
    return this.#planOf(epoch).slice(first, first + this.#accumulation)
      .map((batch) => batch.map((group) => this.#groups[group]));
  }

  /** Most tokens that the encoder reads in a micro batch of epoch `epoch`, where items have these SIDs. */
  mostTokens(epoch: number, itemTokens: readonly Uint32Array[]): number {
    return this.#batchTokens(epoch, itemTokens).reduce((most, tokens) => Math.max(most, tokens), 0);
  }

  /** Tokens that the encoder reads in epoch `epoch`, where items have these SIDs. */
  tokens(epoch: number, itemTokens: readonly Uint32Array[]): number {
    return this.#batchTokens(epoch, itemTokens).reduce((sum, tokens) => sum + tokens, 0);
  }

  #batchTokens(epoch: number, itemTokens: readonly Uint32Array[]): number[] {
    return this.#planOf(epoch).map((batch) => {
      let tokens = 0;
      for (const group of batch) {
        for (const item of this.#groups[group].history) tokens += itemTokens[item].length;
      }
      return tokens;
    });
  }

  #planOf(epoch: number): number[][] {
    if (this.#plan?.epoch !== epoch) {
      const order = shuffledOrder(this.#groups.length, this.#seed, epoch);
      const capacity = { tokens: this.capacity.items, rows: this.capacity.pairs };
      this.#plan = { epoch, batches: planBatches(this.#sizes, capacity, order) };
    }
    return this.#plan.batches;
  }
}

/** Groups in the token ids of their SIDs. */
export function pairGroups(groups: readonly ItemGroup[], itemTokens: readonly Uint32Array[]): PairGroup[] {
  return groups.map(({ history, targets }) => {
    const ends = [0];
    for (const item of history) ends.push(ends.at(-1)! + itemTokens[item].length);
    return {
      input: joined(history, itemTokens),
      completions: targets.map(({ end, item }) => ({ end: ends[end], targets: itemTokens[item] })),
    };
  });
}

function sampleGroups({ samples }: Dataset, maxHistory: number): ItemGroup[] {
  return samples.train.flatMap(({ history, target }) => {
    const items = history.slice(-maxHistory);
    return items.length === 0 ? [] : [{ history: items, targets: [{ end: items.length, item: target }] }];
  });
}

function historyGroups(dataset: Dataset, maxHistory: number): ItemGroup[] {
  return historyParts(dataset, maxHistory).map((part) => ({
    history: part.slice(0, -1),
    targets: part.slice(1).map((item, i) => ({ end: i + 1, item })),
  }));
}

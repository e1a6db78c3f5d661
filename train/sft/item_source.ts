import type { Dataset } from "../../data/dataset.ts";
import type { SequenceSource } from "../../data/packing/sequence_source.ts";
import { historySequence, type PackInput, sampleSequence } from "../../data/packing/sequences.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import { UserError } from "../../base/user_error.ts";
import type { SftConfig } from "./config.ts";

type Settings =
  & { mode: "histories" | "samples" }
  & Pick<
    SftConfig,
    "maxHistory" | "historyWeight" | "firstItemWeight" | "recencyWeight" | "maxSequenceItems"
  >;

/**
 * Train sequences of SIDs alone: BOS and the items of a history, without words. `itemTokens` are the SIDs as token
 * ids, index = item number.
 * @throws {UserError} if the train split is empty.
 */
export function itemSource(
  dataset: Dataset,
  itemTokens: readonly Uint32Array[],
  bos: number,
  settings: Settings,
): SequenceSource {
  const { mode } = settings;
  const { count, make } = mode === "samples"
    ? samples(dataset, itemTokens, bos, settings)
    : histories(dataset, itemTokens, bos, settings);
  if (count === 0) {
    throw new UserError(
      `Cannot train on ${dataset.name}: its train split is empty, expected at least one sample`,
    );
  }
  return {
    count,
    tasks: [mode],
    taskOf: () => 0,
    make,
    order: (epoch, seed) => shuffledOrder(count, seed, epoch),
  };
}

interface Sequences {
  count: number;
  make(i: number): PackInput;
}

function samples(
  dataset: Dataset,
  itemTokens: readonly Uint32Array[],
  bos: number,
  { maxHistory, historyWeight, recencyWeight }: Settings,
): Sequences {
  const { train } = dataset.samples;
  return {
    count: train.length,
    make(i) {
      const { history, target } = train[i];
      const items = history.slice(-maxHistory).map((item) => itemTokens[item]);
      const weight = recency(recencyWeight, train.length < 2 ? 1 : i / (train.length - 1));
      return sampleSequence(items, itemTokens[target], { bos, historyWeight, weight });
    },
  };
}

function histories(
  dataset: Dataset,
  itemTokens: readonly Uint32Array[],
  bos: number,
  { firstItemWeight, recencyWeight, maxSequenceItems }: Settings,
): Sequences {
  const parts = historyParts(dataset, maxSequenceItems);
  return {
    count: parts.length,
    make(i) {
      const { items, times } = parts[i];
      return historySequence(items.map((item) => itemTokens[item]), {
        bos,
        firstItemWeight,
        weights: times?.map((time) => recency(recencyWeight, time)),
      });
    },
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

import type { Dataset } from "../../data/dataset.ts";
import type { PhiloxStream } from "../../base/philox.ts";
import type { SequenceSource } from "../../data/packing/sequence_source.ts";
import { shuffledOrder } from "../../base/shuffle.ts";
import { UserError } from "../../base/user_error.ts";

/** What sequences predict: at every place the item after it, or what comes after their end. */
export type SequenceTargets = "all" | "last";

/**
 * Train histories as sequences of item numbers: every item but the first is predicted from those before it. They are
 * cut as {@link historyParts} says. With `predicted` "last" each target has a sequence of its own, the `maxLength` items
 * before it.
 * @throws {UserError} where no history has two items.
 */
export function itemSequences(
  dataset: Dataset,
  maxLength: number,
  predicted: SequenceTargets,
): SequenceSource {
  const parts = predicted === "all"
    ? historyParts(dataset, maxLength)
    : dataset.histories.flatMap(({ items }) =>
      items.slice(1).map((_, at) => items.slice(Math.max(0, at + 1 - maxLength), at + 2))
    );
  if (parts.length === 0) {
    throw new UserError(
      `Cannot train on ${dataset.name}: no train history has two items, expected at least one that does`,
    );
  }
  return {
    count: parts.length,
    tasks: ["next item"],
    taskOf: () => 0,
    make(i) {
      const targets = parts[i].slice(1).map((token, at) => ({ at, token, weight: 1 }));
      return {
        tokens: Uint32Array.from(parts[i].slice(0, -1)),
        targets: predicted === "last" ? targets.slice(-1) : targets,
      };
    },
    order: (epoch, seed) => shuffledOrder(parts.length, seed, epoch),
  };
}

/**
 * Train histories of two items and more. Longer ones are cut into parts of `maxLength` items and the one after them; a
 * part starts with the last target of the one before, so none is lost.
 */
export function historyParts({ histories }: Dataset, maxLength: number): number[][] {
  return histories.flatMap(({ items }) => {
    const parts: number[][] = [];
    for (let start = 0; start + 1 < items.length; start += maxLength) {
      parts.push(items.slice(start, start + maxLength + 1));
    }
    return parts;
  });
}

/** How often each of the `items` of the catalogue is a target of the source (N). */
export function targetCounts(source: SequenceSource, items: number): Uint32Array {
  const counts = new Uint32Array(items);
  for (let i = 0; i < source.count; i++) {
    for (const { token } of source.make(i).targets) counts[token]++;
  }
  return counts;
}

/** What negatives are drawn from: items that do not occur in the sequence, or all other than the target. */
export type NegativeSource = "unseen" | "other";

/**
 * A negative for each target of the sequences `members`, in order: uniform over the items that do not occur in the
 * sequence (Kang and McAuley 2018, section III.F), or with `from` "other" over those that are not the target.
 * @throws {UserError} for a sequence that leaves none of the `items` of the catalogue.
 */
export function drawNegatives(
  source: SequenceSource,
  members: readonly number[],
  items: number,
  random: PhiloxStream,
  from: NegativeSource,
): number[] {
  return members.flatMap((member) => {
    const { tokens, targets } = source.make(member);
    const seen = new Set([...tokens, ...targets.map(({ token }) => token)]);
    if (from === "unseen" ? seen.size === items : items === 1) {
      throw new UserError(
        `Cannot draw a negative for sequence ${member}: it has all ${items} items. Use --loss softmax`,
      );
    }
    return targets.map(({ token: target }) => {
      const excluded = (item: number) => from === "unseen" ? seen.has(item) : item === target;
      let item = random.below(items);
      while (excluded(item)) item = random.below(items);
      return item;
    });
  });
}

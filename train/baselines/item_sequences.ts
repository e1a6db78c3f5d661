import type { Dataset } from "../../data/dataset.ts";
import type { PhiloxStream } from "../../data/philox.ts";
import type { SequenceSource } from "../../data/sequence_source.ts";
import { shuffledOrder } from "../../data/shuffle.ts";
import { UserError } from "../../data/user_error.ts";

/**
 * Train histories as sequences of item numbers: every item but the first is predicted from those before it. Longer ones
 * are cut into parts of `maxLength` inputs; a part starts with the last target of the one before, so none is lost.
 * @throws {UserError} where no history has two items.
 */
export function itemSequences(dataset: Dataset, maxLength: number): SequenceSource {
  const parts: number[][] = [];
  for (const { items } of dataset.histories) {
    for (let start = 0; start + 1 < items.length; start += maxLength) {
      parts.push(items.slice(start, start + maxLength + 1));
    }
  }
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
      const [, ...targets] = parts[i];
      return {
        tokens: Uint32Array.from(parts[i].slice(0, -1)),
        targets: targets.map((token, at) => ({ at, token, weight: 1 })),
      };
    },
    order: (epoch, seed) => shuffledOrder(parts.length, seed, epoch),
  };
}

/**
 * A negative for each target of the sequences `members`, in order: uniform over the items that do not occur in the
 * sequence (Kang and McAuley 2018, section III.F).
 * @throws {UserError} for a sequence of all `items` of the catalogue.
 */
export function drawNegatives(
  source: SequenceSource,
  members: readonly number[],
  items: number,
  random: PhiloxStream,
): number[] {
  return members.flatMap((member) => {
    const { tokens, targets } = source.make(member);
    const seen = new Set([...tokens, ...targets.map(({ token }) => token)]);
    if (seen.size === items) {
      throw new UserError(
        `Cannot draw a negative for sequence ${member}: it has all ${items} items. Use --loss softmax`,
      );
    }
    return targets.map(() => {
      let item = random.below(items);
      while (seen.has(item)) item = random.below(items);
      return item;
    });
  });
}

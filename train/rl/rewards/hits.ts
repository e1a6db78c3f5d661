import type { Completion, RewardGroup } from "./reward.ts";

/** Whether a completion is the SID of one of the items. */
export function isAmong({ items }: Completion, wanted: readonly number[]): boolean {
  return items.some((item) => wanted.includes(item));
}

/** (G) whether each completion is the SID of a target of the example. */
export function hits({ completions, example }: RewardGroup): boolean[] {
  return completions.map((completion) => isAmong(completion, example.targets));
}

/**
 * (G) 0-based ranks of the completions by the model's score: their places in a ranked group, else the number of
 * distinct SIDs in the group with a higher log-probability, so that draws of one SID share a rank.
 */
export function ranks({ completions, ranked }: RewardGroup): number[] {
  if (ranked) return completions.map((_, place) => place);
  // Items of one SID are listed in one order.
  const scores = new Map(completions.map(({ items, logProb }) => [items[0], logProb]));
  return completions.map(({ items }) => {
    const own = scores.get(items[0])!;
    return scores.values().reduce((better, score) => better + (score > own ? 1 : 0), 0);
  });
}

/** What a hit at a 0-based rank adds to DCG: 1 / log2(rank + 2). */
export function gain(rank: number): number {
  return 1 / Math.log2(rank + 2);
}

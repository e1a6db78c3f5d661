import type { Sample, UserHistory } from "./dataset.ts";

/**
 * Rebuilds users' item sequences from sliding-window samples in time order: the history of a user's first row,
 * then every target. A row whose history is not the end of what its user has bought so far starts a new sequence,
 * so an inconsistent export gives shorter sequences, never a wrong order. In order of each sequence's first row.
 */
export function chainHistories(samples: readonly Sample[]): UserHistory[] {
  const histories: UserHistory[] = [];
  const open = new Map<string, { items: number[]; times: number[]; window: number }>();
  for (const [row, { user, history, target }] of samples.entries()) {
    const time = samples.length < 2 ? 1 : row / (samples.length - 1);
    const chain = open.get(user);
    if (chain !== undefined && history.length >= chain.window && endsWith(chain.items, history)) {
      chain.items.push(target);
      chain.times.push(time);
      chain.window = history.length;
    } else {
      const items = [...history, target];
      // The items before the first row were bought no later than its target.
      const times = items.map(() => time);
      histories.push({ user, items, times });
      open.set(user, { items, times, window: history.length });
    }
  }
  return histories;
}

function endsWith(items: readonly number[], tail: readonly number[]): boolean {
  const offset = items.length - tail.length;
  return offset >= 0 && tail.every((item, i) => items[offset + i] === item);
}

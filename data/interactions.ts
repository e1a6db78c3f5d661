import type { CorpusSample, Interactions, SplitKind } from "./corpus.ts";
import { type Split, splits } from "./dataset.ts";

/** One interaction, before it has a place in the columns. */
export interface Interaction {
  user: number;
  item: number;
  /** Unix seconds. */
  time?: number;
  rating?: number;
}

/** Puts interactions, already by user and in the order of their purchase, into columns. */
export function toColumns(rows: readonly Interaction[]): Interactions {
  const column = (field: "time" | "rating") =>
    rows.some((row) => row[field] !== undefined)
      ? Float64Array.from(rows, (row) => row[field] ?? NaN)
      : undefined;
  const times = column("time"), ratings = column("rating");
  return {
    users: Int32Array.from(rows, ({ user }) => user),
    items: Int32Array.from(rows, ({ item }) => item),
    ...(times && { times }),
    ...(ratings && { ratings }),
  };
}

/** By user, then time; ties keep their order, rows without a time come first. */
export function inOrder(rows: readonly Interaction[]): Interaction[] {
  const time = (row: Interaction) => row.time ?? -Number.MAX_VALUE;
  return rows.toSorted((a, b) => a.user - b.user || time(a) - time(b));
}

/** Each user's item numbers in time order, by user number. */
export function sequencesOf({ users, items }: Interactions, userCount: number): number[][] {
  const sequences: number[][] = Array.from({ length: userCount }, () => []);
  for (let row = 0; row < users.length; row++) sequences[users[row]].push(items[row]);
  return sequences;
}

/**
 * The interactions behind sliding-window samples, for formats that keep samples alone: a user's first history, then
 * every target. Where a history is not the end of what its user has bought so far, it is taken as more purchases.
 */
export function interactionsOf(samples: Record<Split, CorpusSample[]>): Interactions {
  const sequences = new Map<number, Interaction[]>();
  for (const split of splits) {
    for (const { user, history, target, time } of samples[split]) {
      let bought = sequences.get(user);
      if (bought === undefined) sequences.set(user, bought = []);
      const offset = bought.length - history.length;
      const follows = offset >= 0 && history.every((item, i) => bought[offset + i].item === item);
      if (!follows) bought.push(...history.map((item) => ({ user, item })));
      bought.push({ user, item: target, ...(time !== undefined && { time }) });
    }
  }
  const users = [...sequences.keys()].sort((a, b) => a - b);
  return toColumns(users.flatMap((user) => sequences.get(user)!));
}

/**
 * Leave-one-out over users' item sequences: the last item is the test target, the one before it the valid target,
 * every earlier one but the first a train target. Users with fewer than three items have train targets alone. A
 * history is the last `maxHistory` items before its target.
 */
export function leaveOneOut(
  sequences: readonly (readonly number[])[],
  maxHistory: number,
): Record<Split, CorpusSample[]> {
  const samples: Record<Split, CorpusSample[]> = { train: [], valid: [], test: [] };
  for (const [user, items] of sequences.entries()) {
    const last = items.length - 1;
    for (let i = 1; i <= last; i++) {
      const split = last < 2 || i < last - 1 ? "train" : i === last ? "test" : "valid";
      samples[split].push({ user, history: items.slice(Math.max(i - maxHistory, 0), i), target: items[i] });
    }
  }
  return samples;
}

/** Samples are leave-one-out when the same users, each once, make up valid and test. */
export function splitKindOf({ valid, test }: Record<Split, CorpusSample[]>): SplitKind {
  const validUsers = new Set(valid.map(({ user }) => user));
  const testUsers = new Set(test.map(({ user }) => user));
  const onceEach = validUsers.size === valid.length && testUsers.size === test.length;
  return onceEach && testUsers.size > 0 && validUsers.symmetricDifference(testUsers).size === 0
    ? "leave-one-out"
    : "time";
}

/** The longest history among samples, at least 1. */
export function longestHistory(samples: Record<Split, CorpusSample[]>): number {
  return splits.reduce(
    (longest, split) => samples[split].reduce((most, { history }) => Math.max(most, history.length), longest),
    1,
  );
}

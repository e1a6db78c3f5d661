import type { CorpusSample, Interactions, SplitKind } from "./corpus.ts";
import { type Split, splits } from "./dataset.ts";

/** One interaction, before it has a place in the columns. */
export interface Interaction {
  user: number;
  item: number;
  /** Unix seconds. */
  time?: number;
  /** Nanoseconds beyond them, which are known while a log is put in order. */
  fraction?: number;
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
  const fraction = (row: Interaction) => row.fraction ?? 0;
  return rows.toSorted((a, b) => a.user - b.user || time(a) - time(b) || fraction(a) - fraction(b));
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
 * A sample for each interaction but a user's first: the up to `maxHistory` items before it and the item itself, in the
 * split that `splitOf` says for its place in the user's sequence; none where it says undefined.
 */
export function cutSamples(
  interactions: Interactions,
  userCount: number,
  maxHistory: number,
  splitOf: (user: number, place: number, length: number) => Split | undefined,
): Record<Split, CorpusSample[]> {
  const samples: Record<Split, CorpusSample[]> = { train: [], valid: [], test: [] };
  let start = 0;
  for (const [user, items] of sequencesOf(interactions, userCount).entries()) {
    for (let place = 1; place < items.length; place++) {
      const split = splitOf(user, place, items.length);
      if (split === undefined) continue;
      const history = items.slice(Math.max(place - maxHistory, 0), place);
      const time = interactions.times?.[start + place] ?? NaN;
      samples[split].push({ user, history, target: items[place], ...(!Number.isNaN(time) && { time }) });
    }
    start += items.length;
  }
  return samples;
}

/**
 * The rule of leave-one-out: the last item is the test target, the one before it the valid target, every earlier one a
 * train target. Users with fewer than three items have train targets alone.
 */
export function leaveOneOut(_user: number, place: number, length: number): Split {
  if (length < 3 || place < length - 2) return "train";
  return place === length - 1 ? "test" : "valid";
}

/**
 * Samples are leave-one-out when the same users, each once, make up valid and test, and what a user bought last before
 * the test target is the valid target.
 */
export function splitKindOf({ valid, test }: Record<Split, CorpusSample[]>): SplitKind {
  const validTargets = new Map(valid.map(({ user, target }) => [user, target]));
  const testUsers = new Set(test.map(({ user }) => user));
  const onceEach = validTargets.size === valid.length && testUsers.size === test.length;
  const inTurn = test.every(({ user, history }) => validTargets.get(user) === history.at(-1));
  return test.length > 0 && valid.length === test.length && onceEach && inTurn ? "leave-one-out" : "time";
}

/** The longest history among samples, at least 1. */
export function longestHistory(samples: Record<Split, CorpusSample[]>): number {
  return splits.reduce(
    (longest, split) => samples[split].reduce((most, { history }) => Math.max(most, history.length), longest),
    1,
  );
}

/** Where each user's sequence starts in the columns. */
export function startsOf(sequences: readonly (readonly number[])[]): number[] {
  let start = 0;
  return sequences.map(({ length }) => (start += length) - length);
}

/** The purchase that a sample predicts. */
export interface Purchase {
  /** Its place in the user's sequence; absent where no purchase fits, or an earlier sample has it. */
  place?: number;
  /** Whether a purchase fits: the sample's target after a stretch equal to its history. */
  fits: boolean;
}

/** The purchase of each sample, in the order train, valid, test: the first that fits and no earlier sample has. */
export function purchasesOf(
  sequences: readonly (readonly number[])[],
  samples: Record<Split, CorpusSample[]>,
): Record<Split, Purchase[]> {
  const taken = sequences.map(() => new Set<number>());
  const found: Record<Split, Purchase[]> = { train: [], valid: [], test: [] };
  for (const split of splits) {
    for (const sample of samples[split]) {
      const own = taken[sample.user];
      const purchase = findPurchase(sequences[sample.user], sample, (place) => own.has(place));
      if (purchase.place !== undefined) taken[sample.user].add(purchase.place);
      found[split].push(purchase);
    }
  }
  return found;
}

/** The purchase of a sample among those of its user: the first that fits and is not taken. */
export function findPurchase(
  bought: ArrayLike<number>,
  { history, target }: CorpusSample,
  isTaken: (place: number) => boolean,
): Purchase {
  let fits = false;
  for (let place = history.length; place < bought.length; place++) {
    if (bought[place] !== target) continue;
    const start = place - history.length;
    if (!history.every((item, i) => bought[start + i] === item)) continue;
    if (!isTaken(place)) return { place, fits: true };
    fits = true;
  }
  return { fits };
}

/** The log by user, whose order it may not be in: users' purchases are [starts[user], starts[user + 1]). */
export interface Purchases {
  starts: Float64Array;
  items: Int32Array;
  times?: Float64Array;
}

/** Puts a log by user; one that is so already is not copied. */
export function byUser({ users, items, times }: Interactions, userCount: number): Purchases {
  const starts = new Float64Array(userCount + 1);
  let isOrdered = true;
  for (let row = 0; row < users.length; row++) {
    starts[users[row] + 1]++;
    if (row > 0 && users[row] < users[row - 1]) isOrdered = false;
  }
  for (let user = 0; user < userCount; user++) starts[user + 1] += starts[user];
  if (isOrdered) return { starts, items, ...(times && { times }) };
  const next = starts.slice();
  const sorted = { items: new Int32Array(items.length), times: times && new Float64Array(items.length) };
  for (let row = 0; row < users.length; row++) {
    const at = next[users[row]]++;
    sorted.items[at] = items[row];
    if (sorted.times) sorted.times[at] = times![row];
  }
  return { starts, items: sorted.items, ...(sorted.times && { times: sorted.times }) };
}

/**
 * The items of a log by user, which is gone through once; `bought` are its rows by user. It holds 4 bytes an interaction and
 * 16 a user.
 */
export async function purchasesByUser(
  log: () => AsyncIterable<Interactions>,
  bought: Uint32Array,
): Promise<Purchases> {
  const starts = new Float64Array(bought.length + 1);
  for (const [user, count] of bought.entries()) starts[user + 1] = starts[user] + count;
  const sorted = new Int32Array(starts[bought.length]), next = starts.slice();
  for await (const { users, items } of log()) {
    for (const [row, user] of users.entries()) sorted[next[user]++] = items[row];
  }
  return { starts, items: sorted };
}

// The rules of the data task as plain loops over arrays.
import type { SplitKind } from "../../../data/corpus.ts";
import type { Split } from "../../../data/dataset.ts";
import type { Review } from "./fixture.ts";

/** Removes weak users and items, one after the other, until none is left. */
export function referenceCore(reviews: readonly Review[], userK: number, itemK: number): Review[] {
  let left = [...reviews];
  for (;;) {
    const before = left.length;
    left = left.filter(({ user }) => left.filter((other) => other.user === user).length >= userK);
    left = left.filter(({ item }) => left.filter((other) => other.item === item).length >= itemK);
    if (left.length === before) return left;
  }
}

/** Users by first appearance, each in time order, items by first appearance in that walk: item numbers of each user. */
export function referenceWalk(
  reviews: readonly Review[],
): { users: number[]; items: number[]; walks: Walk[] } {
  const byUser = Map.groupBy(reviews, ({ user }) => user);
  const sorted = [...byUser.values()].map((walk) => walk.toSorted((a, b) => a.time - b.time));
  const numbers = new Map<number, number>();
  for (const { item } of sorted.flat()) if (!numbers.has(item)) numbers.set(item, numbers.size);
  return {
    users: [...byUser.keys()],
    items: [...numbers.keys()],
    walks: sorted.map((walk) => walk.map(({ item, time }) => ({ item: numbers.get(item)!, time }))),
  };
}

/** A user's interactions in order. */
export type Walk = { item: number; time: number }[];
/** User, history, target. */
export type SampleRow = readonly [number, number[], number];

/** The samples of all users, split. */
export function referenceSamples(walks: readonly Walk[], kind: SplitKind, maxHistory: number) {
  const all = walks.flatMap((walk, user) =>
    walk.slice(1).map(({ item, time }, i) => ({
      row: [
        user,
        walk.slice(Math.max(0, i + 1 - maxHistory), i + 1).map(({ item }) => item),
        item,
      ] as SampleRow,
      time,
      left: walk.length - 2 - i,
      length: walk.length,
    }))
  );
  const splits: Record<Split, SampleRow[]> = { train: [], valid: [], test: [] };
  if (kind === "time") {
    const rows = all.sort((a, b) => a.time - b.time).map(({ row }) => row);
    const [trainEnd, validEnd] = [0.8, 0.9].map((part) => Math.floor(part * rows.length));
    splits.train = rows.slice(0, trainEnd);
    splits.valid = rows.slice(trainEnd, validEnd);
    splits.test = rows.slice(validEnd);
  } else {
    for (const { row, left, length } of all) {
      splits[length < 3 || left > 1 ? "train" : left === 1 ? "valid" : "test"].push(row);
    }
  }
  return splits;
}

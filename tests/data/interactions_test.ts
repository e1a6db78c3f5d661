import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  cutSamples,
  inOrder,
  interactionsOf,
  leaveOneOut,
  purchasesOf,
  sequencesOf,
  splitKindOf,
  toColumns,
} from "../../data/interactions.ts";
import fc from "../property.ts";

/** Leave-one-out samples of users' item sequences. */
function samplesOf(sequences: readonly number[][], maxHistory: number) {
  const rows = sequences.flatMap((items, user) => items.map((item) => ({ user, item })));
  return cutSamples(toColumns(rows), sequences.length, maxHistory, leaveOneOut);
}

Deno.test("leaveOneOut() holds out the last two items and keeps the latest of a long history", () => {
  const samples = samplesOf([[0, 1, 2, 3, 4, 5], [7, 8]], 2);
  deepStrictEqual(samples, {
    train: [
      { user: 0, history: [0], target: 1 },
      { user: 0, history: [0, 1], target: 2 },
      { user: 0, history: [1, 2], target: 3 },
      { user: 1, history: [7], target: 8 },
    ],
    valid: [{ user: 0, history: [2, 3], target: 4 }],
    test: [{ user: 0, history: [3, 4], target: 5 }],
  });
});

Deno.test("interactionsOf() gives back the sequences that samples were cut from", () => {
  const sequence = fc.array(fc.nat(9), { minLength: 2, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(sequence, { maxLength: 8 }), fc.integer({ min: 1, max: 5 }), (all, width) => {
      const samples = samplesOf(all, width);
      deepStrictEqual(sequencesOf(interactionsOf(samples), all.length), all);
    }),
  );
});

Deno.test("interactionsOf() takes a history that does not follow as more purchases", () => {
  const { users, items } = interactionsOf({
    train: [{ user: 1, history: [4], target: 5 }],
    valid: [{ user: 0, history: [], target: 9 }],
    test: [{ user: 1, history: [7], target: 8 }],
  });
  deepStrictEqual([...users], [0, 1, 1, 1, 1]);
  deepStrictEqual([...items], [9, 4, 5, 7, 8]);
});

Deno.test("inOrder() sorts by user, then time, and keeps the order of ties", () => {
  const rows = [
    { user: 1, item: 0, time: 5 },
    { user: 0, item: 1, time: 9 },
    { user: 1, item: 2, time: 5 },
    { user: 1, item: 3 },
    { user: 1, item: 4, time: 2 },
  ];
  deepStrictEqual(inOrder(rows).map(({ item }) => item), [1, 3, 4, 0, 2]);
});

Deno.test("splitKindOf() says leave-one-out when each user's valid target comes just before the test target", () => {
  const valid = (user: number) => ({ user, history: [0], target: 1 });
  const test = (user: number) => ({ user, history: [0, 1], target: 2 });
  strictEqual(
    splitKindOf({ train: [], valid: [valid(0), valid(1)], test: [test(1), test(0)] }),
    "leave-one-out",
  );
  strictEqual(splitKindOf({ train: [], valid: [valid(0)], test: [test(1)] }), "time");
  strictEqual(splitKindOf({ train: [], valid: [valid(0), valid(0)], test: [test(0)] }), "time");
  // One file under two names: its targets would be no one's last but one, and would be trained on.
  strictEqual(splitKindOf({ train: [], valid: [valid(0)], test: [valid(0)] }), "time");
});

Deno.test("cutSamples() takes times and leaves out what has no split", () => {
  const log = toColumns([{ user: 0, item: 4, time: 10 }, { user: 0, item: 5 }, {
    user: 0,
    item: 6,
    time: 30,
  }]);
  const samples = cutSamples(log, 1, 10, (_user, place) => place === 2 ? "test" : undefined);
  deepStrictEqual(samples, {
    train: [],
    valid: [],
    test: [{ user: 0, history: [4, 5], target: 6, time: 30 }],
  });
});

Deno.test("purchasesOf() gives each purchase to one sample, in order", () => {
  const sample = (history: number[]) => ({ user: 0, history, target: 7 });
  const found = purchasesOf([[7, 7, 7, 7]], {
    train: [sample([7]), sample([8])],
    valid: [sample([7])],
    test: [sample([7, 7, 7]), sample([7, 7])],
  });
  deepStrictEqual(found, {
    train: [{ place: 1, fits: true }, { fits: false }],
    valid: [{ place: 2, fits: true }],
    test: [{ place: 3, fits: true }, { fits: true }],
  });
});

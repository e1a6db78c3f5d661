import assert from "node:assert/strict";
import { compareTopLists } from "../../../bench/peers/top_lists.ts";

const list = (sids: string, scores: number[]) => ({ sids: sids.split(""), scores });

Deno.test("compareTopLists() looks at the first places alone", () => {
  const ours = [list("abc", [-1, -2, -3])];
  const theirs = [list("abd", [-1, -2.5, -9])];
  assert.deepEqual(compareTopLists(ours, theirs, 2), { users: 1, equal: 1, ties: 0, scoreDifference: 0.5 });
});

Deno.test("compareTopLists() tells ties from other differences", () => {
  const ours = list("ab", [-1, -1.00001]);
  const swapped = list("ba", [-1, -1.00001]);
  const other = list("ba", [-1, -2]);
  const agreement = compareTopLists([ours, ours, ours], [ours, swapped, other], 2);
  assert.deepEqual([agreement.users, agreement.equal, agreement.ties], [3, 1, 1]);
});

Deno.test("compareTopLists() does not take scores that are no numbers for ties", () => {
  const agreement = compareTopLists([list("ab", [-1, -2])], [list("ba", [-1, NaN])], 2);
  assert.equal(agreement.ties, 0);
  assert.ok(Number.isNaN(agreement.scoreDifference));
});

Deno.test("compareTopLists() refuses lists of different users", () => {
  assert.throws(() => compareTopLists([list("a", [0])], [], 1), /Cannot compare 1 lists with 0/);
});

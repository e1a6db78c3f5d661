import assert from "node:assert/strict";
import type { ResultRow } from "../../data/result_files/read.ts";
import { UserError } from "../../base/user_error.ts";
import { checkRows, scoreResults } from "../../eval/score.ts";

const row = (target: string, predictions: string): ResultRow => ({
  place: `row of ${target}`,
  input: "",
  target,
  predictions: [...predictions],
});

Deno.test("scoreResults() gives the references' metrics for ranks 0, 3 and a miss", () => {
  const score = scoreResults([row("a", "abcde"), row("e", "abced"), row("f", "abcde")], { seed: 1 });
  // No cut-off beyond the predictions.
  assert.deepEqual(Object.keys(score.hr), ["1", "3", "5"]);
  assert.equal(score.hr[1].toFixed(4), "0.3333");
  assert.equal(score.hr[5].toFixed(4), "0.6667");
  assert.equal(score.ndcg[5].toFixed(6), "0.476892");
  assert.deepEqual([score.users, score.beams, score.duplicates], [3, 5, 0]);
  const [low, high] = score.ci95.hr[5];
  assert.ok(0 <= low && low < score.hr[5] && score.hr[5] < high && high <= 1);
  // Without an index nothing is said of items.
  assert.deepEqual(
    [score.hrItem, score.ndcgItem, score.invalid, score.invalidBeforeHit],
    Array(4).fill(undefined),
  );
});

Deno.test("scoreResults() with an index counts what is not in it, which keeps its place", () => {
  const rows = [row("b", "?ab!b"), row("a", "?ccc!")];
  const score = scoreResults(rows, { sids: ["a", "b", "c"], ks: [2, 3], seed: 1 });
  assert.deepEqual([score.hr[2], score.hr[3]], [0, 0.5]);
  assert.equal(score.ndcg[3], 1 / Math.log2(4) / 2);
  // "!" of the first row stands behind the hit, "b" there and two "c" come again.
  assert.deepEqual([score.invalid, score.invalidBeforeHit, score.duplicates], [4, 3, 3]);
});

Deno.test("scoreResults() shares a hit among the items of a SID", () => {
  const { hr, hrItem, ndcgItem } = scoreResults([row("b", "ba"), row("a", "ba")], {
    sids: ["a", "b", "b", "b"],
    ks: [1, 2],
    seed: 1,
  });
  assert.deepEqual([hr[1], hrItem![1]], [0.5, 1 / 6]);
  assert.equal(ndcgItem![2], (1 / 3 + 1 / Math.log2(3)) / 2);
});

Deno.test("scoreResults() refuses cut-offs that are all beyond the predictions", () => {
  assert.throws(
    () => scoreResults([row("a", "ab")], { ks: [5, 10], seed: 1 }),
    (error) => error instanceof UserError && /lists of 2 predictions at 5, 10/.test(error.message),
  );
});

Deno.test("scoreResults() refuses a target that is not in the index", () => {
  assert.throws(
    () => scoreResults([row("z", "ab")], { sids: ["a", "b"], seed: 1 }),
    (error) =>
      error instanceof UserError && /row of z: its target z is not in the index of 2/.test(error.message),
  );
});

Deno.test("checkRows() takes the rows of a split in any order, each once", () => {
  const rows = (targets: string) => [...targets].map((target) => row(target, "ab"));
  const check = (found: string, expected: string) => checkRows(rows(found), [...expected], "test");
  check("aab", "baa");
  assert.throws(() => check("aa", "baa"), /2 rows as split test: it has 3 samples.*Name all shards/);
  assert.throws(() => check("aabb", "baa"), /4 rows as split test: it has 3 samples.*every shard once/);
  // A row twice and another one missing.
  assert.throws(() => check("aaa", "baa"), /row of a as split test: 3 rows have its target a, expected 2/);
  assert.throws(() => check("aac", "baa"), /row of c as split test: 1 rows have its target c, expected 0/);
});

import assert from "node:assert/strict";
import { chainHistories } from "../../../data/histories.ts";
import { CANDIDATE_GENERATORS } from "../../../rank/candidates/by_name.ts";
import { candidatesOf } from "../../../rank/candidates/candidates.ts";
import { historyCandidates } from "../../../rank/candidates/history.ts";
import { runCandidates } from "../../../rank/candidates/runs.ts";
import { transitionCandidates } from "../../../rank/candidates/transitions.ts";
import { countTrain } from "../../../rank/counts/purchases.ts";

const train = [
  ...Array.from({ length: 3 }, () => ({ user: "ann", history: [0], target: 1 })),
  { user: "ben", history: [0], target: 2 },
  { user: "cat", history: [3, 4], target: 2 },
];
const counts = countTrain({
  items: Array.from({ length: 6 }, (_, item) => ({ title: `thing ${item}` })),
  samples: { train, valid: [], test: [] },
  histories: chainHistories(train),
});
const request = { history: [3, 0], lists: [{ items: [5, 2], scores: [2, 1] }, { items: [2], scores: [-1] }] };
const options = { countCandidates: 2 };

Deno.test("each generator proposes what it knows: lists, what followed the history, the history itself", () => {
  assert.deepEqual([...runCandidates.propose(request, counts, options)], [5, 2, 2]);
  const scored = { items: [5, 2, 4], scores: [3, 2, 1], candidates: 2 };
  assert.deepEqual([...runCandidates.propose({ ...request, lists: [scored] }, counts, options)], [5, 2]);
  // After 0 came 1 with 3 / 5 and 2 with 1 / 5; after 3, two purchases on, 2 with half of 1 / 2.
  assert.deepEqual([...transitionCandidates.propose(request, counts, options)], [1, 2]);
  assert.deepEqual([...transitionCandidates.propose(request, counts, { countCandidates: 1 })], [1]);
  assert.deepEqual([...transitionCandidates.propose({ ...request, history: [5] }, counts, options)], []);
  assert.deepEqual([...historyCandidates.propose(request, counts, options)], [3, 0]);
});

Deno.test("candidates are those of all generators, each once, without what is not allowed", () => {
  assert.deepEqual(CANDIDATE_GENERATORS.map(({ name }) => name).sort(), ["history", "runs", "transitions"]);
  const all = candidatesOf(
    [runCandidates, transitionCandidates, historyCandidates],
    request,
    counts,
    options,
  );
  assert.deepEqual(all, [5, 2, 1, 3, 0]);
  const some = candidatesOf([runCandidates, transitionCandidates, historyCandidates], request, counts, {
    ...options,
    isAllowed: (item) => item % 2 === 1,
  });
  assert.deepEqual(some, [5, 1, 3]);
});

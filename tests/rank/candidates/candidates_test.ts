import assert from "node:assert/strict";
import { chainHistories } from "../../../data/histories.ts";
import { CANDIDATE_GENERATORS } from "../../../rank/candidates/by_name.ts";
import { candidatesOf } from "../../../rank/candidates/candidates.ts";
import { historyCandidates } from "../../../rank/candidates/history.ts";
import { textCandidates as byTitle } from "../../../rank/candidates/texts.ts";
import { runCandidates } from "../../../rank/candidates/runs.ts";
import { transitionCandidates } from "../../../rank/candidates/transitions.ts";
import { itemTerms } from "../../../rank/features/sources.ts";
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
const sources = { counts };
const options = { countCandidates: 2, textCandidates: 2 };

Deno.test("each generator proposes what it knows: lists, what followed the history, the history itself", () => {
  assert.deepEqual([...runCandidates.propose(request, sources, options)], [5, 2, 2]);
  const scored = { items: [5, 2, 4], scores: [3, 2, 1], candidates: 2 };
  assert.deepEqual([...runCandidates.propose({ ...request, lists: [scored] }, sources, options)], [5, 2]);
  // After 0 came 1 with 3 / 5 and 2 with 1 / 5; after 3, two purchases on, 2 with half of 1 / 2.
  assert.deepEqual([...transitionCandidates.propose(request, sources, options)], [1, 2]);
  assert.deepEqual([...transitionCandidates.propose(request, sources, { ...options, countCandidates: 1 })], [
    1,
  ]);
  assert.deepEqual([...transitionCandidates.propose({ ...request, history: [5] }, sources, options)], []);
  assert.deepEqual([...historyCandidates.propose(request, sources, options)], [3, 0]);
});

Deno.test("texts propose what is most like the latest items, and nothing where there are none", () => {
  const titles = ["steel bolt", "brass valve", "steel bolt long", "brass valve small", "paper", "brass pipe"];
  const texts = itemTerms(titles.map((title) => ({ title })))!;
  const propose = (history: number[], textCandidates = 9) => [
    ...byTitle.propose({ history, lists: [] }, { counts, texts }, { ...options, textCandidates }),
  ];
  assert.deepEqual(propose([0]), [2]);
  // 3 has two words of 1, 5 has one; items of the history are proposed by it.
  assert.deepEqual(propose([1]), [3, 5]);
  assert.deepEqual(propose([1], 1), [3]);
  // The latest item counts more than the one before, and both are asked.
  assert.deepEqual(propose([0, 1], 1), [3]);
  assert.deepEqual(propose([1, 0], 1), [2]);
  assert.deepEqual(propose([1, 0]), [2, 3, 5]);
  assert.deepEqual(propose([4]), []);
  assert.deepEqual(propose([]), []);
  assert.deepEqual([...byTitle.propose(request, sources, options)], []);
});

Deno.test("words of very many items are not looked up, rarer ones are", () => {
  const many = 40_000;
  const titles = Array.from(
    { length: many },
    (_, item) => ({ title: item % 1000 === 0 ? `common rare` : "common" }),
  );
  const texts = itemTerms(titles)!;
  const found = [...byTitle.propose({ history: [0], lists: [] }, { counts, texts }, {
    ...options,
    textCandidates: 100,
  })];
  assert.deepEqual(found, Array.from({ length: 39 }, (_, i) => 1000 * (i + 1)));
});

Deno.test("candidates are those of all generators, each once, without what is not allowed", () => {
  assert.deepEqual(CANDIDATE_GENERATORS.map(({ name }) => name).sort(), [
    "history",
    "runs",
    "texts",
    "transitions",
  ]);
  const all = candidatesOf(
    [runCandidates, transitionCandidates, historyCandidates],
    request,
    sources,
    options,
  );
  assert.deepEqual(all, [5, 2, 1, 3, 0]);
  const some = candidatesOf([runCandidates, transitionCandidates, historyCandidates], request, sources, {
    ...options,
    isAllowed: (item) => item % 2 === 1,
  });
  assert.deepEqual(some, [5, 1, 3]);
});

import { deepStrictEqual, ok } from "node:assert/strict";
import type { Sample } from "../../data/dataset.ts";
import { loadDataset } from "../../data/formats/load.ts";
import {
  catalogueScores,
  markovChainScorer,
  popularityScorer,
  repeatRecentScorer,
  type Scorer,
  sequentialRulesScorer,
  transitionScorer,
} from "../../eval/count_scorers.ts";
import { rankMetrics } from "../../eval/metrics.ts";
import { realData } from "../data/downloaded.ts";

const train: Sample[] = [
  { user: "a", history: [0], target: 1 },
  { user: "a", history: [0, 1], target: 2 },
  { user: "b", history: [3], target: 1 },
];

Deno.test("popularityScorer() counts each purchase once and breaks ties by item number", () => {
  // Bought: 0, 1, 2 by a; 3, 1 by b.
  deepStrictEqual(popularityScorer(train, 5).rank([2], 4), { items: [1, 0, 2, 3], scores: [2, 1, 1, 1] });
  deepStrictEqual(popularityScorer(train, 5).rank([], 9).items, [1, 0, 2, 3, 4]);
});

Deno.test("repeatRecentScorer() lists the history from its end, then popular items", () => {
  deepStrictEqual(repeatRecentScorer(train, 5).rank([3, 4, 3, 0], 5), {
    items: [0, 3, 4, 1, 2],
    scores: [1, 1 / 2, 1 / 3, 0, 0],
  });
});

Deno.test("transitionScorer() divides counts by the root of the row sum and by distance", () => {
  // count[0] = {1: 1, 2: 1/2}, count[1] = {2: 1}, count[3] = {1: 1}
  const { items, scores } = transitionScorer(train, 5).rank([0, 1], 5);
  deepStrictEqual(items, [2, 1, 0, 3, 4]);
  const expected = [1 + 0.5 / Math.sqrt(1.5) / 2, 1 / Math.sqrt(1.5) / 2, 0, 0, 0];
  for (const [i, score] of scores.entries()) ok(Math.abs(score - expected[i]) < 1e-12, `${scores}`);
});

Deno.test("transitionScorer() breaks ties by the history, then popularity, and knows unseen items", () => {
  const samples: Sample[] = [1, 2, 3, 3].map((target, i) => ({
    user: `${i}`,
    history: [i < 3 ? 0 : 4],
    target,
  }));
  deepStrictEqual(transitionScorer(samples, 6).rank([1, 0], 5).items, [1, 3, 2, 0, 4]);
  deepStrictEqual(transitionScorer(samples, 6).rank([5], 3).items, [5, 0, 3]);
});

Deno.test("sequentialRulesScorer() counts transitions back by half, and the items of the history again", () => {
  // count[0] = {1: 1, 2: 1/2}, count[1] = {2: 1, 0: 1/2, 3: 1/2}, row sums 1.5 and 2.
  const { items, scores } = sequentialRulesScorer(train, 5).rank([0, 1], 5);
  const [first, second] = [1.5, 2].map((sum) => (sum + 5) ** 0.25);
  const expected = [
    [2, 0.5 / first / 2 + 1 / second],
    [1, 1 / first / 2 + 0.3],
    [0, 0.5 / second + 0.3 / 2],
    [3, 0.5 / second],
    [4, 0],
  ];
  deepStrictEqual(items, expected.map(([item]) => item));
  for (const [i, score] of scores.entries()) ok(Math.abs(score - expected[i][1]) < 1e-12, `${scores}`);
});

Deno.test("markovChainScorer() gives the share of purchases after the latest item, and breaks ties as transitionScorer() does", () => {
  const samples: Sample[] = [[0, 1], [0, 1], [0, 2], [1, 3], [1, 4]].map(([item, target], i) => ({
    user: `${i}`,
    history: [4, item],
    target,
  }));
  const chain = markovChainScorer(samples, 5);
  deepStrictEqual(chain.rank([4, 0], 5), {
    items: [1, 2, 0, 4, 3],
    scores: [2 / 3, 1 / 3, 0, 0, 0],
  });
  // What was bought before the latest item only breaks ties: 4 and 3 follow 1 once each.
  deepStrictEqual(chain.rank([3, 1], 2).items, [3, 4]);
  deepStrictEqual(chain.rank([4, 1], 2).items, [4, 3]);
  deepStrictEqual([...catalogueScores(chain, [1], 5)], [0, 0, 0, .5, .5]);
});

const dir = realData("minionerec-industrial");
Deno.test({
  name: "the baselines reach their published figures on MiniOneRec's test split",
  ignore: dir === undefined,
  async fn() {
    const { items, samples } = await loadDataset(dir!);
    const evaluate = (scorer: Scorer) =>
      rankMetrics(
        samples.test.map(({ history, target }) => {
          const rank = scorer.rank(history, 10).items.indexOf(target);
          return rank < 0 ? null : rank;
        }),
        [5, 10],
      );
    // HR@5, NDCG@5, HR@10, NDCG@10. Popularity has ties around place 10, whose order the figures leave open.
    const published: [typeof popularityScorer, number[], number][] = [
      [popularityScorer, [.0499, .0412, .0518, .0418], .0021],
      [repeatRecentScorer, [.0552, .0407, .0609, .0425], .0013],
      [transitionScorer, [.1205, .0963, .1401, .1025], .0003],
    ];
    for (const [baseline, expected, tolerance] of published) {
      const { hr, ndcg } = evaluate(baseline(samples.train, items.length));
      const found = [hr[5], ndcg[5], hr[10], ndcg[10]];
      ok(found.every((value, i) => Math.abs(value - expected[i]) < tolerance), `${baseline.name} ${found}`);
    }
  },
});

import assert from "node:assert/strict";
import { chainHistories } from "../../../data/histories.ts";
import { tfidf } from "../../../embed/text/tfidf.ts";
import { UserError } from "../../../base/user_error.ts";
import { countTrain } from "../../../rank/counts/purchases.ts";
import { FeatureColumns } from "../../../rank/features/columns.ts";
import type { FeatureGroup, FeatureSources } from "../../../rank/features/features.ts";
import { historyFeatures } from "../../../rank/features/history.ts";
import { popularityFeatures } from "../../../rank/features/popularity.ts";
import { scoreFeatures } from "../../../rank/features/scores.ts";
import { textFeatures } from "../../../rank/features/texts.ts";
import { togetherFeatures } from "../../../rank/features/together.ts";
import { transitionFeatures } from "../../../rank/features/transitions.ts";

const train = [
  ...Array.from({ length: 3 }, () => ({ user: "ann", history: [0], target: 1 })),
  { user: "ben", history: [1, 0], target: 2 },
  { user: "cat", history: [2], target: 2 },
];
const TITLES = ["blue tape", "red tape", "blue rule", "green pen"];
const sources: FeatureSources = {
  counts: countTrain({
    items: TITLES.map((title) => ({ title })),
    samples: { train, valid: [], test: [] },
    histories: chainHistories(train),
  }),
  runs: [{ name: "a", scoreUnit: "logit", listLength: 2 }, { name: "b", scoreUnit: "weight", listLength: 3 }],
  texts: tfidf(TITLES, { hashBits: 12, letters: 0, seed: 0 }),
};
const request = {
  history: [1, 0],
  lists: [{ items: [2, 0], scores: [-1, -3] }, { items: [1], scores: [4] }],
};

/** Values of a group, by column, of candidates. */
function valuesOf(group: FeatureGroup, items: number[], asked = request): Record<string, number[]> {
  const columns = new FeatureColumns([group], sources);
  const names = columns.columns.map(({ name }) => name.replace(`${group.name}.`, ""));
  const raw = new Float32Array(names.length * items.length).fill(NaN);
  columns.write(asked, items, raw);
  return Object.fromEntries(
    names.map((name, c) => [name, items.map((_, i) => Math.round(1e5 * raw[i * names.length + c]) / 1e5)]),
  );
}

Deno.test("scores: of what a run does not list, the lowest score, 1 / rank 0 and twice the length as rank", () => {
  assert.deepEqual(valuesOf(scoreFeatures, [0, 1, 2]), {
    "a.score": [-3, -3, -1],
    "a.gap": [-2, -2, 0],
    "a.reciprocal": [0.5, 0, 1],
    "a.rank": [1, 4, 0],
    "a.last": [-3, -3, -3],
    "b.score": [4, 4, 4],
    "b.gap": [0, 0, 0],
    "b.reciprocal": [0, 1, 0],
    "b.rank": [6, 0, 6],
    "b.last": [4, 4, 4],
  });
  const { columns } = new FeatureColumns([scoreFeatures], sources);
  // Weights are counts, which come as their log too; logits may be negative.
  assert.deepEqual(columns.filter(({ signed }) => !signed).map(({ name }) => name), [
    "scores.a.reciprocal",
    "scores.b.score",
    "scores.b.reciprocal",
    "scores.b.last",
  ]);
  const nothing = { history: [], lists: [{ items: [], scores: [] }, { items: [], scores: [] }] };
  assert.deepEqual(valuesOf(scoreFeatures, [0], nothing)["a.score"], [0]);
});

Deno.test("transitions: shares are counts / (row sum + 1), and the last column is the other direction", () => {
  const { "lag1.share": share, "lag1.count": count, "lag2.share": second, "lag3.count": third, ...rest } =
    valuesOf(transitionFeatures, [1, 2]);
  assert.deepEqual([share, count], [[3 / 5, 1 / 5], [3, 1]]);
  assert.deepEqual([second, third], [[0, 1 / 2], [0, 0]]);
  assert.deepEqual(rest["reverse.share"], [0, 0]); // 0 never came right after 1 or 2
  assert.deepEqual(valuesOf(transitionFeatures, [0], { ...request, history: [1] })["reverse.share"], [3 / 4]);
});

Deno.test("together: means and the most over the history, late purchases counting more", () => {
  assert.deepEqual(valuesOf(togetherFeatures, [2, 3]), {
    "after.mean": [round((1 / 5 + 0.5 / 1.5) / 2), 0],
    "before.mean": [0, 0],
    "after.most": [round(0.5 / 1.5), 0],
  });
});

Deno.test("popularity: logs of purchases, and shares bought twice in a row", () => {
  assert.deepEqual(valuesOf(popularityFeatures, [1, 2, 3]), {
    bought: [round(Math.log(4)), round(Math.log(3)), 0],
    recent: [0, 0, 0], // an eighth of five rows is none
    repeats: [0, 1 / 2, 0],
  });
});

Deno.test("history: place, times, length and the latest item's popularity", () => {
  assert.deepEqual(valuesOf(historyFeatures, [1, 2], { ...request, history: [1, 0, 1, 2, 0] }), {
    recency: [round(1 / 3), 1 / 2],
    times: [2, 1],
    length: [5, 5],
    "last.bought": [0, 0],
  });
});

Deno.test("texts: titles that share no word are at 0, the same title at 1, whatever came before", () => {
  const asked = { ...request, history: [3, 0] };
  const once = valuesOf(textFeatures, [0, 1, 2, 3], asked);
  assert.deepEqual([once["words.last"][0], once["words.last"][3]], [1, 0]);
  const { "words.last": [, red, rule] } = once;
  assert.ok(red > 0.3 && red < 1 && rule > 0.3 && rule < 1, `${red} ${rule}`);
  assert.equal(once["words.all"][0], 1 / 2);
  assert.deepEqual(valuesOf(textFeatures, [0, 1, 2, 3], asked), once);
});

Deno.test("a group without its source is left out with its reason; without any there is nothing to rank by", () => {
  const { missing, columns } = new FeatureColumns([textFeatures, historyFeatures], {
    ...sources,
    texts: undefined,
  });
  assert.deepEqual(missing, [{ group: "texts", why: "items have no titles, makers or categories" }]);
  assert.equal(columns.length, 4);
  assert.throws(
    () => new FeatureColumns([textFeatures], { ...sources, texts: undefined }),
    new UserError(
      "Cannot rank without features: texts (items have no titles, makers or categories). Add another group to --features",
    ),
  );
});

const round = (value: number) => Math.round(1e5 * Math.fround(value)) / 1e5;

import { deepStrictEqual, notDeepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { type Sample, splits } from "../../../data/dataset.ts";
import { embeddings } from "../../../data/synthetic/word_embeddings.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { CATEGORIES } from "../../../data/synthetic/categories.ts";
import { popularityScorer, type Scorer, transitionScorer } from "../../../eval/count_scorers.ts";
import { hitsAtK, mean } from "../../../eval/metrics.ts";

const dataset = syntheticDataset();

Deno.test("syntheticDataset() repeats for a seed and differs for another", () => {
  deepStrictEqual(syntheticDataset({ seed: 3, users: 50 }), syntheticDataset({ seed: 3, users: 50 }));
  notDeepStrictEqual(
    syntheticDataset({ seed: 3, users: 50 }).samples.train,
    syntheticDataset({ seed: 4, users: 50 }).samples.train,
  );
});

Deno.test("syntheticDataset() has 600 items with distinct titles, brand and category", () => {
  strictEqual(dataset.items.length, 600);
  strictEqual(new Set(dataset.items.map(({ title }) => title)).size, 600);
  ok(dataset.items.every(({ title, brand, categories }) => title.startsWith(brand!) && categories));
});

Deno.test("syntheticDataset() makes other sizes, down to few and up to every name", () => {
  strictEqual(syntheticDataset({ items: 50, users: 20 }).items.filter(Boolean).length, 50);
  const all =
    CATEGORIES.flatMap(({ brands, products }) =>
      brands.flatMap(() => products.flatMap(({ variants }) => variants))
    ).length;
  strictEqual(new Set(syntheticDataset({ items: all, users: 20 }).items.map(({ title }) => title)).size, all);
  throws(() => syntheticDataset({ items: all + 1 }), /expected an integer from 50 to/);
  throws(() => syntheticDataset({ users: 3 }), /Cannot generate 3 users/);
});

Deno.test("syntheticDataset() splits 8:1:1 with windows of at most ten items", () => {
  const total = splits.reduce((sum, split) => sum + dataset.samples[split].length, 0);
  strictEqual(dataset.samples.train.length, Math.floor(0.8 * total));
  strictEqual(dataset.samples.test.length, total - Math.floor(0.9 * total));
  for (const split of splits) {
    for (const { history, target } of dataset.samples[split]) {
      ok(history.length >= 1 && history.length <= 10);
      ok([...history, target].every((item) => dataset.items[item] !== undefined));
    }
  }
});

Deno.test("syntheticDataset() histories are the train purchases of each user, in order", () => {
  const bought = dataset.histories.reduce((sum, { items }) => sum + items.length - 1, 0);
  strictEqual(bought, dataset.samples.train.length);
  const later = new Set([...dataset.samples.valid, ...dataset.samples.test].map(({ user }) => user));
  const user = dataset.histories.find(({ user }) => later.has(user))!;
  const next = dataset.samples.valid.concat(dataset.samples.test).find((sample) =>
    sample.user === user.user
  )!;
  deepStrictEqual(user.items.slice(-10), next.history);
});

Deno.test("syntheticDataset() can be learned: transition counts hit far more often than popularity", () => {
  const hitRate = (scorer: Scorer, samples: Sample[]) =>
    mean(hitsAtK(
      samples.map(({ history, target }) => {
        const rank = scorer.rank(history, 10).items.indexOf(target);
        return rank < 0 ? null : rank;
      }),
      10,
    ));
  const { train, test } = dataset.samples;
  const popular = hitRate(popularityScorer(train, 600), test),
    moved = hitRate(transitionScorer(train, 600), test);
  ok(popular < 0.1, `popularity ${popular}`);
  ok(moved > 0.6, `transitions ${moved}`);
});

Deno.test("CATEGORIES names products once and complements that exist", () => {
  const products = CATEGORIES.flatMap(({ products }) => products);
  const nouns = new Set(products.map(({ noun }) => noun));
  strictEqual(nouns.size, products.length);
  for (const { noun, complement } of products) ok(nouns.has(complement) && complement !== noun, noun);
});

Deno.test("embeddings() are finite, repeat, and put items of a series closer than strangers", () => {
  const { data, shape } = embeddings(dataset);
  deepStrictEqual(shape, [600, 64]);
  deepStrictEqual(embeddings(dataset).data, data);
  ok(data.every(Number.isFinite));
  const find = (title: string) => dataset.items.findIndex((item) => item.title === title);
  const cosine = (a: number, b: number) => {
    let [dot, aa, bb] = [0, 0, 0];
    for (let i = 0; i < 64; i++) {
      const x = data[64 * a + i], y = data[64 * b + i];
      [dot, aa, bb] = [dot + x * y, aa + x * x, bb + y * y];
    }
    return dot / Math.sqrt(aa * bb);
  };
  const oak = find("Norvell Wood Stain, Oak");
  const teak = cosine(oak, find("Norvell Wood Stain, Teak")),
    otherBrand = cosine(oak, find("Huemark Wood Stain, Oak"));
  const bulb = cosine(oak, find("Lumeno LED Bulb, 7 W"));
  ok(teak > 0.8 && otherBrand > bulb + 0.3 && Math.abs(bulb) < 0.4, `${teak} ${otherBrand} ${bulb}`);
});

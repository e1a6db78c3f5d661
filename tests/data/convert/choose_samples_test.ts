import assert from "node:assert/strict";
import { chooseSamples, type SampleChoice } from "../../../data/convert/choose_samples.ts";
import { loadCorpus } from "../../../data/formats/load.ts";

const corpus = await loadCorpus("synthetic");
const choice = (more: Partial<SampleChoice>): SampleChoice => ({
  keepLongestOnly: false,
  most: { train: 0, valid: 0, test: 0 },
  shuffle: false,
  seed: 42,
  ...more,
});

Deno.test("chooseSamples() keeps the longest train sample of each user, the first of several", () => {
  const [user] = corpus.samples.train;
  const samples = {
    ...corpus.samples,
    train: [{ ...user, user: 7, history: [1] }, { ...user, user: 8, history: [2, 3] }, {
      ...user,
      user: 7,
      history: [4, 5],
    }, { ...user, user: 7, history: [6, 7] }],
  };
  const { train, valid } = chooseSamples({ ...corpus, samples }, choice({ keepLongestOnly: true })).samples;
  assert.deepEqual(train.map(({ history }) => history), [[2, 3], [4, 5]]);
  assert.equal(valid.length, corpus.samples.valid.length);
});

Deno.test("chooseSamples() draws so many of a split by the seed, in their order, and shuffles train alone", () => {
  const { samples } = corpus;
  const drawn = chooseSamples(corpus, choice({ most: { train: 9, valid: 5, test: 0 } })).samples;
  assert.deepEqual([drawn.train.length, drawn.valid.length], [9, 5]);
  assert.deepEqual(drawn.test, samples.test);
  const places = drawn.train.map((sample) => samples.train.indexOf(sample));
  assert.deepEqual(places, [...places].sort((a, b) => a - b));
  assert.equal(new Set(places).size, 9);
  assert.deepEqual(chooseSamples(corpus, choice({ most: { train: 9, valid: 5, test: 0 } })).samples, drawn);
  const other = chooseSamples(corpus, choice({ most: { train: 9, valid: 5, test: 0 }, seed: 1 })).samples;
  assert.notDeepEqual(other.train, drawn.train);
  const shuffled = chooseSamples(corpus, choice({ shuffle: true })).samples;
  assert.notDeepEqual(shuffled.train, samples.train);
  assert.deepEqual(new Set(shuffled.train), new Set(samples.train));
  assert.deepEqual(shuffled.valid, samples.valid);
  assert.equal(chooseSamples(corpus, choice({})), corpus);
});

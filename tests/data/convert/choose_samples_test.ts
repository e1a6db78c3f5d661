import assert from "node:assert/strict";
import { chooseSamples, type SampleChoice } from "../../../data/convert/choose_samples.ts";
import type { Corpus } from "../../../data/corpus.ts";
import { corpusParts } from "../../../data/corpus_parts.ts";
import { joinLists } from "../../../data/corpus_stream.ts";
import { loadCorpus } from "../../../data/formats/load.ts";

const corpus = await loadCorpus("synthetic");
const choice = (more: Partial<SampleChoice>): SampleChoice => ({
  keepLongestOnly: false,
  most: { train: 0, valid: 0, test: 0 },
  shuffle: false,
  seed: 42,
  ...more,
});

/** What is chosen of a corpus. */
async function chosen(corpus: Corpus, more: Partial<SampleChoice>): Promise<Corpus["samples"]> {
  const { samples } = await chooseSamples(corpusParts(corpus), choice(more));
  return {
    train: await joinLists(samples("train")),
    valid: await joinLists(samples("valid")),
    test: await joinLists(samples("test")),
  };
}

Deno.test("chooseSamples() keeps the longest train sample of each user, the first of several", async () => {
  const [user] = corpus.samples.train;
  const samples = {
    ...corpus.samples,
    train: [{ ...user, user: 7, history: [1] }, { ...user, user: 8, history: [2, 3] }, {
      ...user,
      user: 7,
      history: [4, 5],
    }, { ...user, user: 7, history: [6, 7] }],
  };
  const { train, valid } = await chosen({ ...corpus, samples }, { keepLongestOnly: true });
  assert.deepEqual(train.map(({ history }) => history), [[2, 3], [4, 5]]);
  assert.equal(valid.length, corpus.samples.valid.length);
});

Deno.test("chooseSamples() draws so many of a split by the seed, in their order, and shuffles train alone", async () => {
  const { samples } = corpus;
  const drawn = await chosen(corpus, { most: { train: 9, valid: 5, test: 0 } });
  assert.deepEqual([drawn.train.length, drawn.valid.length], [9, 5]);
  assert.deepEqual(drawn.test, samples.test);
  const places = drawn.train.map((sample) => samples.train.indexOf(sample));
  assert.deepEqual(places, [...places].sort((a, b) => a - b));
  assert.equal(new Set(places).size, 9);
  assert.deepEqual(await chosen(corpus, { most: { train: 9, valid: 5, test: 0 } }), drawn);
  const other = await chosen(corpus, { most: { train: 9, valid: 5, test: 0 }, seed: 1 });
  assert.notDeepEqual(other.train, drawn.train);
  const shuffled = await chosen(corpus, { shuffle: true });
  assert.notDeepEqual(shuffled.train, samples.train);
  assert.deepEqual(new Set(shuffled.train), new Set(samples.train));
  assert.deepEqual(shuffled.valid, samples.valid);
  const parts = corpusParts(corpus);
  assert.equal(await chooseSamples(parts, choice({})), parts);
});

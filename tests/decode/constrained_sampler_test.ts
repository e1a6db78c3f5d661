import assert from "node:assert/strict";
import { sharedDevice } from "../shared_device.ts";
import { UserError } from "../../base/user_error.ts";
import { beamSearch } from "../../decode/beam_search.ts";
import {
  ConstrainedSampler,
  type SampleResult,
  type SamplerOptions,
} from "../../decode/constrained_sampler.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Layout } from "../../kernels/gpu/tensor.ts";
import { readDecoderConfig } from "../../models/decoder/config.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import { readSafetensors } from "../../models/safetensors/safetensors.ts";
import { buildTrie, type Trie } from "../../sid/trie.ts";
import { bruteForce } from "./brute_force.ts";
import { FakeModel } from "./fake_model.ts";

const VOCABULARY = 23;
// 11 SIDs of 3 and 4 tokens.
const SIDS = [
  [3, 8, 14],
  [3, 8, 15, 20],
  [3, 8, 15, 21],
  [3, 9, 14],
  [3, 9, 16],
  [4, 8, 14],
  [4, 10, 15, 20],
  [4, 10, 15, 22],
  [4, 11, 17],
  [5, 8, 14],
  [5, 8, 16],
];
const PROMPT = Uint32Array.of(1, 5, 9);
const SETTINGS = { samples: 1, temperature: 1, topK: 0, topP: 1 };

/** Draws with a trie and a model that live as long as `work`. */
async function withSampler<T>(
  options: Partial<SamplerOptions> & { replacement: boolean },
  work: (sampler: ConstrainedSampler, model: FakeModel, host: Trie, device: Device) => Promise<T>,
  { sids = SIDS, layout = "texture" as Layout } = {},
): Promise<T> {
  const device = await sharedDevice(layout);
  const host = buildTrie(sids);
  const trie = new DeviceTrie(device, host);
  const model = FakeModel.random(device, VOCABULARY, 11);
  const sampler = new ConstrainedSampler(device, model, trie, { ...SETTINGS, ...options });
  const result = await work(sampler, model, host, device);
  sampler.destroy();
  trie.destroy();
  return result;
}

/** Probability of every leaf under tempered and filtered sampling, by sorting the children of each node. */
function exactProbabilities(
  host: Trie,
  model: FakeModel,
  { temperature, topK, topP }: typeof SETTINGS,
): Map<number, number> {
  const found = new Map<number, number>();
  const visit = (node: number, path: number[], probability: number) => {
    if (host.isLeaf(node)) return found.set(node, probability);
    const logits = model.logitsAfter(path);
    const normalised = (tokens: number[]) => {
      const weights = tokens.map((token) => Math.exp(logits[token] / temperature));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return weights.map((weight) => weight / total);
    };
    let tokens = [...host.tokensAfter(node)].sort((a, b) => logits[b] - logits[a]);
    if (topK > 0) tokens = tokens.slice(0, topK);
    let before = 0;
    const shares = normalised(tokens);
    tokens = tokens.filter((_, i) => (before += shares[i]) - shares[i] < topP);
    normalised(tokens).forEach((share, i) =>
      visit(host.walk([tokens[i]], node)!, [...path, tokens[i]], probability * share)
    );
  };
  visit(0, [...PROMPT], 1);
  return found;
}

/** Fails unless the counts fit the probabilities: Pearson's chi-square below its 99.9 % quantile. */
function assertDistributed<K>(counts: Map<K, number>, probabilities: Map<K, number>) {
  for (const key of counts.keys()) assert.ok(probabilities.has(key), `${key} cannot be drawn`);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  let [statistic, cells, rareCount, rareExpected] = [0, 0, 0, 0];
  const add = (count: number, expected: number) => {
    statistic += (count - expected) ** 2 / expected;
    cells++;
  };
  for (const [key, probability] of probabilities) {
    const count = counts.get(key) ?? 0;
    if (total * probability >= 5) {
      add(count, total * probability);
    } else {
      rareCount += count;
      rareExpected += total * probability;
    }
  }
  if (rareExpected >= 5) add(rareCount, rareExpected);
  // Wilson and Hilferty's approximation of the quantile.
  const freedom = cells - 1;
  const limit = freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3;
  assert.ok(cells > 1 && statistic < limit, `chi-square ${statistic} of ${cells} cells is above ${limit}`);
}

function countOf<K>(keys: K[]): Map<K, number> {
  const counts = new Map<K, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

function assertClose(actual: number, expected: number) {
  assert.ok(Math.abs(actual - expected) < 1e-4, `${actual} is not ${expected}`);
}

/** Scores are those of the model itself, whatever the temperature and the filters. */
function assertTrueScores({ leaves, scores }: SampleResult, host: Trie, model: FakeModel) {
  const all = bruteForce(host, PROMPT, "children", (path) => model.logitsAfter(path));
  const scoreOf = new Map(all.map(({ leaf, score }) => [leaf, score]));
  leaves.forEach((leaf, i) => assertClose(scores[i], scoreOf.get(leaf)!));
}

for (
  const setting of [
    {},
    { temperature: 2.5 },
    { temperature: 0.6 },
    { topK: 2 },
    { temperature: 3, topP: 0.7 },
    { temperature: 2, topK: 2, topP: 0.8 },
  ]
) {
  const name = Object.entries(setting).map(([key, value]) => `${key} ${value}`).join(", ") || "no option";
  Deno.test(`ConstrainedSampler draws SIDs as often as their probability says: ${name}`, () =>
    withSampler({ ...setting, samples: 2500, replacement: true }, async (sampler, model, host) => {
      const drawn: number[] = [];
      for (let step = 0; step < 8; step++) {
        const [result] = await sampler.run([PROMPT], { seed: 42, step });
        assert.equal(result.leaves.length, 2500);
        if (step === 0) assertTrueScores(result, host, model);
        drawn.push(...result.leaves);
      }
      const exact = exactProbabilities(host, model, { ...SETTINGS, ...setting });
      assertDistributed(countOf(drawn), exact);
      // The filters leave what can be drawn often enough to be seen.
      const likely = [...exact].filter(([, probability]) => probability > 1e-3).map(([leaf]) => leaf);
      assert.deepEqual(likely.filter((leaf) => !drawn.includes(leaf)), []);
    }));
}

Deno.test("ConstrainedSampler with topK 1 gives the greedy SID alone, and so does a tiny topP", async () => {
  for (const filter of [{ topK: 1 }, { topP: 1e-6 }]) {
    await withSampler({ ...filter, samples: 50, replacement: true }, async (sampler, model, host) => {
      const [{ leaves }] = await sampler.run([PROMPT], { seed: 1, step: 0 });
      const [greedy] = exactProbabilities(host, model, { ...SETTINGS, topK: 1 }).keys();
      assert.deepEqual(leaves, new Array(50).fill(greedy));
    });
  }
});

for (const [temperature, layout] of [[1, "texture"], [2.5, "buffer"]] as [number, Layout][]) {
  Deno.test(`ConstrainedSampler without replacement draws ordered groups as often as their probability says, temperature ${temperature}`, () =>
    withSampler({ temperature, samples: 3, replacement: false }, async (sampler, model, host) => {
      const prompts = new Array<Uint32Array>(1000).fill(PROMPT);
      const results: SampleResult[] = [];
      for (let step = 0; step < 8; step++) results.push(...await sampler.run(prompts, { seed: 7, step }));
      for (const result of results) assert.equal(new Set(result.leaves).size, 3);
      assertTrueScores(results[0], host, model);

      const exact = exactProbabilities(host, model, { ...SETTINGS, temperature });
      assertDistributed(countOf(results.map(({ leaves }) => leaves[0])), exact);
      // p(a, b, c) = p(a) p(b) / (1 - p(a)) p(c) / (1 - p(a) - p(b))
      const pairs = new Map<string, number>();
      const included = new Map<number, number>();
      for (const [a, p] of exact) {
        for (const [b, q] of exact) {
          if (b === a) continue;
          const pair = p * q / (1 - p);
          pairs.set(`${a} ${b}`, pair);
          for (const [c, r] of exact) {
            if (c === a || c === b) continue;
            const triple = pair * r / (1 - p - q);
            for (const leaf of [a, b, c]) included.set(leaf, (included.get(leaf) ?? 0) + triple);
          }
        }
      }
      assertDistributed(countOf(results.map(({ leaves }) => `${leaves[0]} ${leaves[1]}`)), pairs);
      const counts = countOf(results.flatMap(({ leaves }) => leaves));
      for (const [leaf, probability] of included) {
        const deviation = Math.sqrt(results.length * probability * (1 - probability));
        const error = (counts.get(leaf) ?? 0) - results.length * probability;
        assert.ok(Math.abs(error) < 4 * deviation + 1, `leaf ${leaf}: ${error} of deviation ${deviation}`);
      }
    }, { layout }));
}

Deno.test("ConstrainedSampler without replacement gives every SID once where the group is as large as the catalogue", async () => {
  for (const sids of [SIDS, [[5, 9, 14]], [[4], [11], [7]], [[3], [4, 8], [4, 9, 14], [5, 8, 14, 20]]]) {
    await withSampler({ samples: 40, replacement: false }, async (sampler, model, host) => {
      assert.equal(sampler.samples, sids.length);
      const results = await sampler.run([PROMPT, PROMPT], { seed: 3, step: 0 });
      const leaves = Array.from({ length: host.nodeCount }, (_, node) => node).filter((n) => host.isLeaf(n));
      for (const result of results) {
        assert.deepEqual(result.leaves.toSorted((a, b) => a - b), leaves);
        assertTrueScores(result, host, model);
      }
    }, { sids });
  }
});

for (const replacement of [true, false]) {
  const how = replacement ? "with" : "without";

  Deno.test(`ConstrainedSampler ${how} replacement repeats itself for the same seed, step and prompt number alone`, () =>
    withSampler({ samples: 6, replacement }, async (sampler, model, host, device) => {
      const prompts = [PROMPT, Uint32Array.of(1), PROMPT, PROMPT];
      const draw = (place: object) => sampler.run(prompts, { seed: 42, step: 3, ...place });
      const first = await draw({});
      assert.deepEqual(await draw({}), first);
      for (const other of [{ seed: 43 }, { seed: 42 + 2 ** 32 }, { step: 4 }, { firstPrompt: 4 }]) {
        const drawn = (results: SampleResult[]) => results.map(({ leaves }) => leaves);
        assert.notDeepEqual(drawn(await draw(other)), drawn(first), JSON.stringify(other));
      }
      assert.notDeepEqual(first[2].leaves, first[3].leaves); // the same prompt in other places
      for (const { leaves } of first) assert.ok(leaves.every((leaf) => host.isLeaf(leaf)));

      const halves = [
        ...await sampler.run(prompts.slice(0, 2), { seed: 42, step: 3 }),
        ...await sampler.run(prompts.slice(2), { seed: 42, step: 3, firstPrompt: 2 }),
      ];
      assert.deepEqual(halves, first);

      // More draws begin with the same ones.
      const more = new ConstrainedSampler(device, model, sampler.trie, { samples: 9, replacement });
      (await more.run(prompts, { seed: 42, step: 3 })).forEach(({ leaves }, prompt) =>
        assert.deepEqual(leaves.slice(0, 6), first[prompt].leaves)
      );
      more.destroy();
    }));

  Deno.test(`ConstrainedSampler ${how} replacement computes a prompt once and allocates nothing for a second batch`, () =>
    withSampler({ samples: 5, replacement }, async (sampler, model, _host, device) => {
      await sampler.run([PROMPT, PROMPT], { seed: 1, step: 0 });
      assert.equal(model.prompts, 2);
      const { buffers, textures } = device.memory;
      await sampler.run([PROMPT, PROMPT], { seed: 1, step: 1 });
      assert.deepEqual([device.memory.buffers, device.memory.textures], [buffers, textures]);
      assert.deepEqual(await sampler.run([], { seed: 1, step: 2 }), []);
      assert.equal(sampler.promptsPerBatch, 640);
    }, { layout: "buffer" }));

  Deno.test(`ConstrainedSampler ${how} replacement says so where logits are not finite`, () =>
    withSampler({ samples: 2, replacement }, async (sampler, _model, _host, device) => {
      const width = new Float32Array(VOCABULARY);
      const broken = new FakeModel(device, 1, width, width.slice().fill(NaN), 1);
      const other = new ConstrainedSampler(device, broken, sampler.trie, { samples: 2, replacement });
      await assert.rejects(
        other.run([PROMPT], { seed: 1, step: 0 }),
        /prompt 0: the model's logits are not finite/,
      );
      other.destroy();
    }));
}

Deno.test("ConstrainedSampler with a decoder gives SIDs the scores that beam search gives them", async () => {
  const device = await sharedDevice("texture");
  const folder = new URL("../golden/decoder/qwen3/", import.meta.url);
  const decoder = new Decoder(
    device,
    readDecoderConfig(await Deno.readTextFile(new URL("config.json", folder))),
  );
  const tensors = readSafetensors(await Deno.readFile(new URL("model.safetensors", folder)));
  device.write(decoder.parameters.values, decoder.parameters.fromTensors(tensors, "qwen3"));
  decoder.parameters.refresh();
  const trie = new DeviceTrie(device, buildTrie(SIDS));
  const prompts = [PROMPT, Uint32Array.of(1, 4, 11, 17, 22)];
  const searched = await beamSearch(device, decoder, trie, prompts, {
    beams: SIDS.length,
    normalisation: "children",
  });
  for (const replacement of [true, false]) {
    const sampler = new ConstrainedSampler(device, decoder, trie, { samples: 8, replacement });
    const results = await sampler.run(prompts, { seed: 5, step: 0 });
    results.forEach(({ leaves, scores }, prompt) => {
      const scoreOf = new Map(searched[prompt].leaves.map((leaf, i) => [leaf, searched[prompt].scores[i]]));
      leaves.forEach((leaf, i) => assertClose(scores[i], scoreOf.get(leaf)!));
    });
    sampler.destroy();
  }
});

Deno.test("ConstrainedSampler refuses settings that mean nothing, and foreign tokens", () =>
  withSampler({ replacement: true }, async (sampler, model, _host, device) => {
    const { trie } = sampler;
    const refused: [Partial<SamplerOptions>, RegExp][] = [
      [{ samples: 0 }, /with 0 draws: expected an integer of 1 or more/],
      [{ temperature: 0 }, /temperature 0: expected a number above 0/],
      [{ temperature: Infinity }, /temperature Infinity/],
      [{ topK: -1 }, /topK -1: expected an integer of 0 \(off\) or more/],
      [{ topP: 0 }, /topP 0: expected above 0, at most 1/],
      [{ topP: NaN }, /topP NaN/],
      [{ topK: 3, replacement: false }, /topK 3 and topP 1 without replacement: expected topK 0 and topP 1/],
      [{ topP: 0.5, replacement: false }, /topK 0 and topP 0.5 without replacement/],
    ];
    for (const [options, message] of refused) {
      const make = () =>
        new ConstrainedSampler(device, model, trie, { samples: 2, replacement: true, ...options });
      assert.throws(make, (error) => error instanceof RangeError && message.test(error.message));
    }
    for (
      const place of [{ seed: -1, step: 0 }, { seed: 1, step: 2 ** 32 }, {
        seed: 1,
        step: 0,
        firstPrompt: 0.5,
      }]
    ) {
      await assert.rejects(sampler.run([PROMPT], place), RangeError);
    }
    const foreign = new DeviceTrie(device, buildTrie([[3, VOCABULARY]]));
    assert.throws(
      () => new ConstrainedSampler(device, model, foreign, { samples: 2, replacement: true }),
      (error) => error instanceof UserError && /uses token 23, the model has 23 tokens/.test(error.message),
    );
    foreign.destroy();
  }));

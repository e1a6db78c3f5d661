import assert from "node:assert/strict";
import { ownDevice, sharedDevice } from "../shared_device.ts";
import { packBatch } from "../../data/packing/batches.ts";
import { UserError } from "../../base/user_error.ts";
import { BeamSearch, beamSearch } from "../../decode/beam_search.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { Layout } from "../../kernels/gpu/tensor.ts";
import { gatherRows } from "../../kernels/rows/gather.ts";
import { noise } from "../../kernels/gpu/spec.ts";
import { Tape } from "../../kernels/tape.ts";
import { TOKEN_NORMALISATIONS, type TokenNormalisation } from "../../kernels/trie/log_softmax.ts";
import { readDecoderConfig } from "../../models/decoder/config.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import { PackedTokensBuffer } from "../../models/packing/packed_tokens.ts";
import { readSafetensors } from "../../models/safetensors/safetensors.ts";
import { buildTrie, type Trie } from "../../sid/trie.ts";
import { bruteForce } from "./brute_force.ts";
import { FakeModel } from "./fake_model.ts";

const VOCABULARY = 23;

/** `count` SIDs of 3 tokens, one in three with a fourth, over disjoint tokens a level. */
function catalogue(count: number, seed: number): number[][] {
  const next = noise(seed);
  const pick = (first: number, size: number) => first + Math.floor(Math.abs(next() * 1000)) % size;
  const sids = Array.from({ length: count }, () => [pick(3, 5), pick(8, 6), pick(14, 5)]);
  // Fourth tokens by prefix, so that no SID begins another.
  return sids.map((sid) => (sid[0] + sid[1] + sid[2]) % 3 === 0 ? [...sid, pick(19, 4)] : sid);
}

const TRIES: [string, number[][]][] = [
  ["3 or 4 tokens", catalogue(60, 1)],
  ["fewer leaves than beams", catalogue(4, 2)],
  ["one item", [[5, 9, 14]]],
  ["one token", [[4], [11], [7]]],
  ["leaves at every depth", [[3], [4, 8], [4, 9, 14], [4, 9, 15, 19], [5, 8, 14, 20]]],
];
const PROMPTS = [Uint32Array.of(1, 5, 9, 14), Uint32Array.of(1), Uint32Array.of(1, 4, 11, 17, 22, 3, 8, 16)];

/** Same SIDs in the same order with the same scores; neighbours closer than 1e-4 may change places. */
function assertExact(
  { leaves, scores }: { leaves: number[]; scores: number[] },
  expected: { leaf: number; score: number }[],
) {
  assert.deepEqual(leaves.toSorted((a, b) => a - b), expected.map(({ leaf }) => leaf).sort((a, b) => a - b));
  const scoreOf = new Map(expected.map(({ leaf, score }) => [leaf, score]));
  leaves.forEach((leaf, i) => {
    assertClose(scores[i], scoreOf.get(leaf)!);
    assertClose(scores[i], expected[i].score);
  });
}

function assertClose(actual: number, expected: number) {
  assert.ok(Math.abs(actual - expected) < 1e-4, `${actual} is not ${expected}`);
}

async function withTrie(
  device: Device,
  sids: number[][],
  work: (trie: DeviceTrie, host: Trie) => Promise<void>,
) {
  const host = buildTrie(sids);
  const trie = new DeviceTrie(device, host);
  await work(trie, host);
  trie.destroy();
}

for (const layout of ["texture", "buffer"] as Layout[]) {
  for (const normalisation of TOKEN_NORMALISATIONS) {
    Deno.test(`beamSearch() equals scoring all SIDs, ${normalisation}, ${layout}`, async () => {
      const device = await sharedDevice(layout);
      const model = FakeModel.random(device, VOCABULARY, 5);
      for (const [name, sids] of TRIES) {
        await withTrie(device, sids, async (trie, host) => {
          const results = await beamSearch(device, model, trie, PROMPTS, { beams: 80, normalisation });
          results.forEach((result, u) => {
            const expected = bruteForce(host, PROMPTS[u], normalisation, (path) => model.logitsAfter(path));
            assert.equal(result.leaves.length, host.leafCount, name);
            assertExact(result, expected);
          });
        });
      }
    });

    Deno.test(`BeamSearch.trace() keeps every beginning with the probability of what follows it, ${normalisation}, ${layout}`, async () => {
      const device = await ownDevice(layout);
      const model = FakeModel.random(device, VOCABULARY, 5);
      for (const [name, sids] of TRIES) {
        await withTrie(device, sids, async (trie, host) => {
          const wide = new BeamSearch(device, model, trie, { beams: 80, normalisation });
          for (const prompt of PROMPTS) {
            const { result, kept } = await wide.trace(prompt);
            assert.deepEqual(result, (await wide.run([prompt]))[0], name);
            const scores = new Map(result.leaves.map((leaf, i) => [leaf, result.scores[i]]));
            kept.forEach(({ nodes, scores: own }, step) => {
              const inner = Array.from({ length: host.nodeCount }, (_, node) => node)
                .filter((node) => host.depths[node] === step + 1 && !host.isLeaf(node));
              assert.deepEqual(nodes.toSorted((a, b) => a - b), inner, name);
              nodes.forEach((node, i) => scores.set(node, own[i]));
            });
            if (normalisation !== "children") continue;
            // Whatever follows a beginning has its probability all together.
            for (const { nodes, scores: own } of kept) {
              nodes.forEach((node, i) => {
                const after = host.childNodes.subarray(host.childOffsets[node], host.childOffsets[node + 1]);
                const sum = Array.from(after).reduce((sum, child) => sum + Math.exp(scores.get(child)!), 0);
                assertClose(Math.log(sum), own[i]);
              });
            }
          }
          wide.destroy();
          const narrow = new BeamSearch(device, model, trie, { beams: 2, normalisation });
          const { kept } = await narrow.trace(PROMPTS[0]);
          assert.ok(kept.every(({ nodes }) => nodes.length <= 2));
          narrow.destroy();
        });
      }
    });

    Deno.test(`beamSearch() with a repetition penalty equals that of transformers over all SIDs, ${normalisation}, ${layout}`, async () => {
      const device = await ownDevice(layout);
      const model = FakeModel.random(device, VOCABULARY, 9);
      // In the last one a token of the first level may follow itself.
      const tries = [TRIES[0], TRIES[4], ["repeats", [[4, 4], [4, 9], [9, 4]]] as [string, number[][]]];
      for (const [name, sids] of tries) {
        for (const repetitionPenalty of [1.1, 3, 0.5]) {
          await withTrie(device, sids, async (trie, host) => {
            const options = { beams: 80, normalisation, repetitionPenalty };
            const results = await beamSearch(device, model, trie, PROMPTS, options);
            results.forEach((result, u) => {
              const logitsAfter = (path: number[]) => model.logitsAfter(path);
              const of = (penalty: number) =>
                bruteForce(host, PROMPTS[u], normalisation, logitsAfter, penalty);
              assert.equal(result.leaves.length, host.leafCount, name);
              assertExact(result, of(repetitionPenalty));
              if (u === 0) {
                assert.notDeepEqual(
                  of(1).map(({ score }) => score),
                  of(repetitionPenalty).map(({ score }) => score),
                );
              }
            });
          });
        }
      }
    });

    Deno.test(`beamSearch() with few beams gives different SIDs with their true scores, ${normalisation}, ${layout}`, async () => {
      const device = await sharedDevice(layout);
      const model = FakeModel.random(device, VOCABULARY, 6);
      await withTrie(device, catalogue(200, 3), async (trie, host) => {
        for (const beams of [1, 3, 10]) {
          const results = await beamSearch(device, model, trie, PROMPTS, { beams, normalisation });
          results.forEach(({ leaves, scores }, u) => {
            const all = bruteForce(host, PROMPTS[u], normalisation, (path) => model.logitsAfter(path));
            assert.equal(new Set(leaves).size, beams);
            leaves.forEach((leaf, i) => {
              assertClose(scores[i], all.find((entry) => entry.leaf === leaf)!.score);
              assert.ok(i === 0 || scores[i - 1] >= scores[i]);
            });
          });
        }
      });
    });
  }
}

Deno.test("beamSearch() ranks a2 b first over the vocabulary, a1 b first over the children", async () => {
  const device = await sharedDevice();
  // p(a1) = .3, p(a2) = .2, p(b | a1) = .1, p(b | a2) = .9; tokens: 0 prompt, 1 a1, 2 a2, 3 b, 4 another.
  const probabilities = [
    [1e-9, .3, .2, 1e-9, .5],
    [1e-9, 1e-9, 1e-9, .1, .9],
    [1e-9, 1e-9, 1e-9, .9, .1],
    [.2, .2, .2, .2, .2],
    [.2, .2, .2, .2, .2],
  ];
  const oneHot = Float32Array.from({ length: 25 }, (_, i) => i % 6 === 0 ? 1 : 0);
  const head = Float32Array.from({ length: 25 }, (_, i) => Math.log(probabilities[i % 5][Math.floor(i / 5)]));
  const model = new FakeModel(device, 5, oneHot, head, 0);
  await withTrie(device, [[1, 3], [2, 3]], async (trie, host) => {
    const [a1, a2] = [host.walk([1, 3])!, host.walk([2, 3])!];
    const search = async (normalisation: TokenNormalisation) => {
      const [result] = await beamSearch(device, model, trie, [Uint32Array.of(0)], {
        beams: 2,
        normalisation,
      });
      return result;
    };
    const overVocabulary = await search("vocab");
    assert.deepEqual(overVocabulary.leaves, [a2, a1]);
    assertClose(Math.exp(overVocabulary.scores[0]), .18);
    assertClose(Math.exp(overVocabulary.scores[1]), .03);
    const overChildren = await search("children");
    assert.deepEqual(overChildren.leaves, [a1, a2]);
    assertClose(Math.exp(overChildren.scores[0]), .6);
    assertClose(Math.exp(overChildren.scores[1]), .4);
  });
});

for (const layout of ["texture", "buffer"] as Layout[]) {
  Deno.test(`beamSearch() with a decoder equals its full forward pass over all SIDs, ${layout}`, async () => {
    const device = await ownDevice(layout);
    const folder = new URL("../golden/decoder/qwen3/", import.meta.url);
    const config = readDecoderConfig(await Deno.readTextFile(new URL("config.json", folder)));
    const decoder = new Decoder(device, config);
    const tensors = readSafetensors(await Deno.readFile(new URL("model.safetensors", folder)));
    device.write(decoder.parameters.values, decoder.parameters.fromTensors(tensors, "qwen3"));
    decoder.parameters.refresh();
    await withTrie(device, catalogue(12, 4), async (trie, host) => {
      for (const normalisation of TOKEN_NORMALISATIONS) {
        const results = await beamSearch(device, decoder, trie, PROMPTS, { beams: 50, normalisation });
        for (const [u, result] of results.entries()) {
          const logits = await allLogits(device, decoder, host, PROMPTS[u]);
          assertExact(
            result,
            bruteForce(host, PROMPTS[u], normalisation, (path) => logits.get(path.join())!),
          );
        }
      }
    });
  });
}

/** Logits after every prefix of every SID, each SID as a packed sequence of its own. */
async function allLogits(device: Device, decoder: Decoder, trie: Trie, prompt: Uint32Array) {
  const paths: number[][] = [];
  const walk = (node: number, path: number[]) => {
    if (trie.isLeaf(node)) return;
    paths.push(path);
    for (const token of trie.tokensAfter(node)) walk(trie.walk([token], node)!, [...path, token]);
  };
  walk(0, [...prompt]);
  const capacity = { tokens: paths.reduce((sum, path) => sum + path.length, 0), rows: paths.length };
  const buffer = new PackedTokensBuffer(device, capacity);
  const sequences = paths.map((path) => ({
    tokens: Uint32Array.from(path),
    targets: [{ at: path.length - 1, token: 0, weight: 1 }],
  }));
  buffer.write(packBatch(sequences, capacity), 1);
  const logits = await device.scope(async () => {
    const stream = decoder.hidden(new Tape(device, false), buffer.packed);
    const last = gatherRows(device, stream, buffer.packed.targetRows, paths.length);
    return (await device.read(decoder.logits(decoder.finalNorm(last))))[0];
  });
  buffer.destroy();
  const { vocabulary } = decoder;
  return new Map(paths.map((path, i) => [path.join(), logits.slice(i * vocabulary, (i + 1) * vocabulary)]));
}

Deno.test("BeamSearch computes a prompt once whatever the beams, and allocates nothing for a second batch", async () => {
  const device = await ownDevice();
  const model = FakeModel.random(device, VOCABULARY, 7);
  await withTrie(device, catalogue(60, 1), async (trie) => {
    const search = new BeamSearch(device, model, trie, { beams: 20, normalisation: "vocab" });
    const first = await search.run(PROMPTS);
    assert.equal(model.prompts, PROMPTS.length);
    const { buffers, textures } = device.memory;
    const second = await search.run(PROMPTS);
    assert.deepEqual(second, first);
    assert.deepEqual([device.memory.buffers, device.memory.textures], [buffers, textures]);
    search.destroy();
    assert.deepEqual(await search.run([]), []);
  });
});

Deno.test("searches of many sizes hold what the largest holds, where no more may be kept, and answer the same", async () => {
  const most: number[] = [], answers: unknown[] = [];
  for (const sizes of [[3], [1, 2, 3, 2, 1], [1, 2, 3, 2, 1]]) {
    const device = await ownDevice("texture");
    const model = FakeModel.random(device, VOCABULARY, 7);
    if (most.length === 2) device.memory.keptLimit = 0;
    await withTrie(device, catalogue(60, 1), async (trie) => {
      const search = new BeamSearch(device, model, trie, { beams: 20, normalisation: "vocab" });
      const before = device.memory.textures, held = [], found = [];
      for (const size of sizes) {
        found.push(await search.run(PROMPTS.slice(0, size)));
        held.push(device.memory.textures - before);
      }
      most.push(Math.max(...held));
      answers.push(found);
    });
  }
  const [largest, all, bounded] = most;
  assert.ok(all > 1.5 * largest, `${all} bytes of all sizes, ${largest} of the largest`);
  assert.equal(bounded, largest);
  assert.deepEqual(answers[2], answers[1]);
});

Deno.test("BeamSearch refuses 0 beams, foreign tokens and logits that are not finite", async () => {
  const device = await sharedDevice();
  const model = FakeModel.random(device, VOCABULARY, 8);
  await withTrie(device, [[3, 9], [4, 9]], async (trie) => {
    for (const beams of [0, -1, 1.5, NaN]) {
      await assert.rejects(
        beamSearch(device, model, trie, PROMPTS, { beams, normalisation: "vocab" }),
        {
          name: "RangeError",
          message: `Cannot search with ${beams} beams: expected an integer of 1 or more`,
        },
      );
    }
    const broken = new FakeModel(device, 1, new Float32Array(10), new Float32Array(10).fill(NaN), 1);
    await assert.rejects(
      beamSearch(device, broken, trie, [Uint32Array.of(0)], { beams: 2, normalisation: "children" }),
      /found 0 of 2, so the model's logits are not finite/,
    );
  });
  await withTrie(device, [[3, 9], [4, 9]], async (trie) => {
    for (const repetitionPenalty of [0, -1, NaN, Infinity]) {
      await assert.rejects(
        beamSearch(device, model, trie, PROMPTS, { beams: 2, normalisation: "vocab", repetitionPenalty }),
        { name: "RangeError", message: /repetition penalty of .*: expected a number above 0, 1 for none/ },
      );
    }
  });
  await withTrie(device, [[3, VOCABULARY]], async (trie) => {
    await assert.rejects(
      beamSearch(device, model, trie, PROMPTS, { beams: 5, normalisation: "children" }),
      (error) => error instanceof UserError && /uses token 23, the model has 23 tokens/.test(error.message),
    );
  });
});

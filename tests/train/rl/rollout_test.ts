import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import type { Sample } from "../../../data/dataset.ts";
import type { RlExample } from "../../../data/packing/rl_examples.ts";
import { DeviceTrie } from "../../../decode/device_trie.ts";
import { buildTrie } from "../../../sid/trie.ts";
import { AnswerTries } from "../../../train/rl/answer_tries.ts";
import { rlConfig } from "../../../train/rl/config.ts";
import { Rollout, type RolloutConfig } from "../../../train/rl/rollout.ts";
import { tinyConfig, tinyDecoder } from "../../models/decoder/tiny.ts";

/** Items 1 and 4 share a SID; 4 sells better. */
const itemTokens = [[10, 13], [10, 14], [11, 13], [11, 15], [10, 14], [12, 16]]
  .map((tokens) => Uint32Array.from(tokens));
const train = [4, 4, 1, 0].map((target): Sample => ({ user: "u", history: [], target }));
const example = (target: number, ...prompt: number[]): RlExample => ({
  prompt: Uint32Array.from(prompt),
  targets: [target],
  history: [],
  task: 0,
});
const examples = [example(5, 1, 10, 13), example(2, 1, 11)];

async function groupsOf(
  settings: Partial<RolloutConfig>,
  step = 0,
  asked = examples,
  texts: readonly (readonly Uint32Array[])[] = [],
) {
  const device = await sharedDevice("texture");
  const decoder = tinyDecoder(device, tinyConfig(20, true));
  const trie = new DeviceTrie(device, buildTrie(itemTokens));
  const tries = new AnswerTries(device, { trie, itemTokens }, texts);
  const config = rlConfig(settings);
  const rollout = new Rollout(
    device,
    decoder,
    tries,
    train,
    "vocab",
    config,
  );
  const groups = await rollout.run(asked, step);
  rollout.destroy();
  tries.destroy();
  trie.destroy();
  decoder.destroy();
  return groups;
}

Deno.test("Rollout by beams has all SIDs once, best first, with the most popular item of each", async () => {
  for (const { completions, ranked } of await groupsOf({ numGenerations: 5 })) {
    assert.equal(ranked, true);
    const scores = completions.map(({ logProb }) => logProb);
    assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
    assert.deepEqual(completions.map(({ items }) => items[0]).sort(), [0, 2, 3, 4, 5]);
    const shared = completions.find(({ items }) => items.length > 1)!;
    assert.deepEqual([shared.items, [...shared.tokens]], [[4, 1], [10, 14]]);
    for (const { items, tokens, nodes } of completions) {
      assert.deepEqual(tokens, itemTokens[items[0]]);
      assert.deepEqual([...nodes], [0, buildTrie(itemTokens).walk(tokens.subarray(0, 1))]);
    }
  }
});

Deno.test("Rollout with addTarget puts a target that was not found in the last place", async () => {
  const all = (await groupsOf({ numGenerations: 5 })).map(({ completions }) => completions);
  // The model would write the first of these first, the second last.
  const asked = [0, 4].map((place, g) => example(all[g][place].items[0], ...examples[g].prompt));
  const [found, added] = await groupsOf({ numGenerations: 2, addTarget: true }, 0, asked);
  assert.deepEqual(found.completions, all[0].slice(0, 2));
  assert.deepEqual(added.completions, [all[1][0], { ...all[1][4], logProb: -Infinity }]);
});

Deno.test("Rollout draws the same for the same step, and others for another; without replacement no SID twice", async () => {
  const settings = { rollout: "sample", numGenerations: 5 } as const;
  const leaves = async (step: number, more: Partial<RolloutConfig> = {}) =>
    (await groupsOf({ ...settings, ...more }, step)).map(({ completions }) =>
      completions.map(({ leaf }) => leaf)
    );
  assert.deepEqual(await leaves(3), await leaves(3));
  assert.notDeepEqual(await leaves(3), await leaves(4));
  for (const drawn of await leaves(3, { replacement: false })) {
    assert.equal(new Set(drawn).size, 5);
  }
  for (const drawn of await leaves(3, { dynamicSampling: true })) assert.equal(drawn.length, 5);
});

Deno.test("Rollout guides the last answers of a group along the target's first tokens, and draws the others as ever", async () => {
  const settings = { rollout: "sample", numGenerations: 12, temperature: 9 } as const;
  const free = await groupsOf(settings);
  const guided = await groupsOf({ ...settings, guidedAnswers: 8 });
  for (const [g, { completions, example: { targets } }] of guided.entries()) {
    assert.deepEqual(completions.slice(0, 4), free[g].completions.slice(0, 4));
    const firsts = completions.slice(4).map(({ tokens, given }) => [tokens[0], given]);
    assert.deepEqual(firsts, Array(8).fill([itemTokens[targets[0]][0], 1]));
    assert.ok(free[g].completions.some(({ tokens }) => tokens[0] !== itemTokens[targets[0]][0]));
  }
  // Item 2 has a sibling, which is drawn too; where all tokens are given, nothing but the target is.
  assert.deepEqual(new Set(guided[1].completions.slice(4).map(({ items }) => items[0])), new Set([2, 3]));
  for (
    const { completions } of await groupsOf({ ...settings, guidedAnswers: 8, guidedTokens: 5 }, 0, [
      examples[1],
    ])
  ) {
    for (const { items, given } of completions.slice(4)) assert.deepEqual([items[0], given], [2, 2]);
  }
});

Deno.test("Rollout refuses groups of different answers that are larger than the catalogue", async () => {
  const refused = { name: "UserError", message: /groups of 6 different answers: the catalogue has 5 SIDs/ };
  await assert.rejects(() => groupsOf({ numGenerations: 6 }), refused);
  await assert.rejects(
    () => groupsOf({ numGenerations: 6, rollout: "sample", replacement: false }),
    refused,
  );
  assert.equal((await groupsOf({ numGenerations: 6, rollout: "sample" }))[0].completions.length, 6);
});

/** Titles of the items: 0 and 3 have the same one, 2 none. Token 2 ends them. */
const titles = [[5, 6, 2], [5, 2], [], [5, 6, 2], [7, 8, 9, 2], [7, 2]].map((tokens) =>
  Uint32Array.from(tokens)
);

Deno.test("AnswerTries holds SIDs and texts below a root each, and SIDs alone as they are", async () => {
  const device = await sharedDevice("texture");
  const sids = { trie: new DeviceTrie(device, buildTrie(itemTokens)), itemTokens };
  const alone = new AnswerTries(device, sids);
  assert.deepEqual([alone.all, alone.kinds[0].root, alone.longest], [sids.trie, 0, 2]);
  const tries = new AnswerTries(device, sids, [titles]);
  assert.deepEqual([tries.kinds.map(({ trie }) => trie.host.leafCount), tries.longest], [[5, 4], 4]);
  const { host } = tries.all, [ofSids, ofTitles] = tries.kinds.map(({ root }) => root);
  assert.deepEqual([...host.tokensAfter(ofSids)], [10, 11, 12]);
  assert.deepEqual([...host.tokensAfter(ofTitles)], [5, 7]);
  assert.deepEqual([...host.tokensAfter(host.walk([7], ofTitles)!)], [2, 8]);
  assert.equal(tries.of({ text: 0 }).itemTokens, titles);
  assert.equal(tries.of({}).itemTokens, itemTokens);
  tries.destroy();
  sids.trie.destroy();
});

Deno.test("Rollout writes texts where an example is answered with one, and the same SIDs as without such examples", async () => {
  const asked = [{ ...example(3, 1, 12), text: 0 }, ...examples, { ...example(1, 1), text: 0 }];
  for (
    const settings of [{ numGenerations: 4 }, {
      numGenerations: 4,
      rollout: "sample",
      replacement: false,
    }] as const
  ) {
    const [alone, all] = [await groupsOf(settings, 1), await groupsOf(settings, 1, asked, [titles])];
    assert.deepEqual(all.map(({ example }) => example), asked);
    const leaves = (groups: typeof all) =>
      groups.map(({ completions }) => completions.map(({ leaf }) => leaf));
    assert.deepEqual(leaves(all.slice(1, 3)), leaves(alone));
    for (const { completions } of [all[0], all[3]]) {
      // All four titles, each with the items that have it, the one that sells first.
      assert.deepEqual(completions.map(({ items }) => items.toSorted().join()).sort(), [
        "0,3",
        "1",
        "4",
        "5",
      ]);
      for (const { items, tokens, nodes } of completions) {
        assert.deepEqual(tokens, titles[items[0]]);
        assert.equal(nodes.length, tokens.length);
        assert.ok(nodes.every((node, i) => i === 0 || node > nodes[i - 1]));
      }
      assert.equal(new Set(completions.map(({ nodes }) => nodes[0])).size, 1);
    }
    assert.ok(all[0].completions[0].nodes[0] !== all[1].completions[0].nodes[0]);
  }
  const small = [{ ...examples[0], text: 0 }];
  await assert.rejects(() => groupsOf({ numGenerations: 5 }, 0, small, [titles]), {
    name: "UserError",
    message: /groups of 5 different answers: the catalogue has 4 texts/,
  });
});

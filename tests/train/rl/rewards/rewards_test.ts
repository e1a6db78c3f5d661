import assert from "node:assert/strict";
import { writeNpy } from "../../../../base/npy.ts";
import { createRewards } from "../../../../train/rl/reward_set.ts";
import { parseRewards } from "../../../../train/rl/rewards/by_name.ts";
import { exampleContext, exampleGroup, makeReward, rounded, valuesOf } from "./example.ts";

Deno.test("rule is 1 for the first target's SID, hit for that of any", async () => {
  assert.deepEqual(await valuesOf("rule", exampleGroup([0, 1, 2], [1])), [0, 1, 0]);
  assert.deepEqual(await valuesOf("rule", exampleGroup([0, 1, 2], [1, 2])), [0, 1, 0]);
  assert.deepEqual(await valuesOf("hit", exampleGroup([0, 1, 2], [1, 2])), [0, 1, 1]);
  // Items 4 and 5 share a SID.
  assert.deepEqual(await valuesOf("rule", exampleGroup([0, 4], [5])), [0, 1]);
});

Deno.test("ranking is 0 at the hit and MiniOneRec's penalty elsewhere", async () => {
  const values = await valuesOf("ranking", exampleGroup([0, 1, 2, 3], [1]));
  assert.deepEqual(values, [-0.39038, 0, -0.19519, -0.168128]);
  assert.deepEqual(await valuesOf("ranking", exampleGroup([0, 1, 2, 3], [4])), [0, 0, 0, 0]);
});

Deno.test("ranking of 16 beams starts at -0.163773 and ends at -0.040067", async () => {
  // The hit is in the middle.
  const items = Array.from({ length: 16 }, (_, place) => place === 8 ? 1 : 0);
  const values = await valuesOf("ranking", exampleGroup(items, [1]));
  assert.deepEqual([values[0], values[15]], [-0.163773, -0.040067]);
  assert.ok(Math.abs(values.reduce((a, b) => a + b) - 1 / Math.log2(10) / 6.106 + 1) < 1e-5);
});

Deno.test("rule,ranking sum to the reward that MiniOneRec trains with", async () => {
  const rewards = await createRewards(parseRewards(["rule", "ranking"]), exampleContext());
  const { total, byReward, levels, hits } = await rewards.score(exampleGroup([0, 1, 2, 3], [1]));
  assert.deepEqual(rounded(total), [-0.39038, 1, -0.19519, -0.168128]);
  assert.deepEqual(byReward.map(rounded), [[0, 1, 0, 0], [-0.39038, 0, -0.19519, -0.168128]]);
  assert.deepEqual(hits, [false, true, false, false]);
  assert.equal(levels, undefined);
});

Deno.test("ranks of sampled answers are those of their log-probabilities, and equal SIDs share one", async () => {
  const shuffled = exampleGroup([3, 1, 0, 2], [1], { logProbs: [-4, -2, -1, -3] });
  assert.deepEqual(await valuesOf("ranking", shuffled), [-0.168128, 0, -0.39038, -0.19519]);
  const repeated = exampleGroup([0, 1, 0], [1], { logProbs: [-1, -2, -1] });
  // Gains 1, 1/log2(3), 1.
  const sum = 2 + 1 / Math.log2(3);
  assert.deepEqual(await valuesOf("ranking", repeated), rounded([-1 / sum, 0, -1 / sum]));
});

Deno.test("ranking-raw penalises every wrong answer by -1/log2(rank + 1), ranks from 1", async () => {
  assert.deepEqual(await valuesOf("ranking-raw", exampleGroup([0, 1, 2], [1])), [-1, 0, -0.5]);
  assert.deepEqual(await valuesOf("ranking-raw", exampleGroup([0, 1, 2], [3])), [-1, -0.63093, -0.5]);
});

Deno.test("ndcg is the hit's gain: 1, 0.63093, 0.5 at ranks 0, 1, 2", async () => {
  for (const [target, expected] of [[0, [1, 0, 0]], [1, [0, 0.63093, 0]], [2, [0, 0, 0.5]]] as const) {
    assert.deepEqual(await valuesOf("ndcg", exampleGroup([0, 1, 2], [target])), expected);
  }
});

Deno.test("prefix is HEPO's 1, 0.5, 0.2, 0 for 3 to 0 levels", async () => {
  assert.deepEqual(await valuesOf("prefix", exampleGroup([0, 1, 2, 3], [0])), [1, 0.5, 0.2, 0]);
  assert.deepEqual(await valuesOf("prefix", exampleGroup([2], [3, 1])), [0.2], "the nearest target counts");
});

Deno.test("prefix of other depths is linear between the values at thirds", async () => {
  const itemTokens = [[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 6, 7], [1, 8, 9, 9]].map((sid) =>
    Uint32Array.from(sid)
  );
  const reward = await makeReward("prefix", exampleContext({ itemTokens }));
  const group = exampleGroup([0, 1, 2, 3], [0]);
  const completions = group.completions.map((completion, item) => ({
    ...completion,
    tokens: itemTokens[item],
  }));
  assert.deepEqual(rounded(await reward.score({ ...group, completions })), [1, 0.625, 0.35, 0.15]);
});

Deno.test("prefix by level is what could still be earned", async () => {
  const reward = await makeReward("prefix");
  const levels = (await reward.scoreLevels!(exampleGroup([0, 1, 2, 3], [0]))).map(rounded);
  assert.deepEqual(levels, [[1, 0.8, 0.5], [0.5, 0.3, 0], [0.2, 0, 0], [0, 0, 0]]);
});

Deno.test("rewards without values by level add theirs at each level", async () => {
  const rewards = await createRewards(parseRewards(["prefix:2", "rule"]), exampleContext());
  const { total, levels } = await rewards.score(exampleGroup([0, 1], [0]));
  assert.deepEqual(rounded(total), [3, 1]);
  assert.deepEqual(levels!.map(rounded), [[3, 2.6, 2], [1, 0.6, 0]]);
});

Deno.test("partial-hit is MIMIGenRec's 100, 10, 1, 0", async () => {
  assert.deepEqual(await valuesOf("partial-hit", exampleGroup([0, 1, 2, 3], [0])), [100, 10, 1, 0]);
});

Deno.test("popularity-debias penalises wrong answers by the square root of their purchases", async () => {
  // 9, 4, 1 and 0 purchases: 3, 2, 1, 0 of 6.
  assert.deepEqual(await valuesOf("popularity-debias", exampleGroup([0, 1, 2, 3], [2])), [
    -0.5,
    -0.333333,
    0,
    0,
  ]);
  assert.deepEqual(await valuesOf("popularity-debias", exampleGroup([0, 1], [2])), [0, 0]);
  assert.deepEqual(await valuesOf("popularity-debias", exampleGroup([3], [3])), [0], "nothing was bought");
});

Deno.test("collaborative is the discount of the item's rank by counts of transitions", async () => {
  const warnings: string[] = [];
  const context = exampleContext({ warn: (message) => warnings.push(message) });
  // After item 1 came item 2 once, and item 1 at distance 2: 1 and 0.5.
  const group = exampleGroup([0, 1, 2], [2], { history: [1] });
  assert.deepEqual(await valuesOf("collaborative", group, context), [0, 0.63093, 1]);
  assert.deepEqual(await valuesOf("collaborative", exampleGroup([1, 2], [2]), context), [0, 0], "no history");
  // Nothing followed item 3.
  const unknown = exampleGroup([1, 2], [2], { history: [3] });
  assert.deepEqual(await valuesOf("collaborative", unknown, context), [0, 0]);
  assert.match(warnings[0], /reward hacking/);
});

Deno.test("collaborative averages its recommenders", async () => {
  const group = exampleGroup([0, 1, 2], [2], { history: [1] });
  const context = exampleContext();
  const twice = { collaborative: ["transitions", "transitions"] };
  assert.deepEqual(await valuesOf("collaborative", group, context, twice), [0, 0.63093, 1]);
  const missing = { collaborative: ["transitions", "runs/a,b"] };
  await assert.rejects(makeReward("collaborative", context, missing), /"runs\/a,b": it is no recommender/);
});

Deno.test("collaborative teaches the first items of its recommenders, in shares of what hits there add to DCG", async () => {
  const teach = async (history: number[], collaborative = ["transitions"]) => {
    const { example } = exampleGroup([], [], { history });
    const taught = await (await makeReward("collaborative", exampleContext(), { collaborative })).teach!(
      example,
    );
    return taught.map(({ item, share }) => [item, Math.round(share * 1e6) / 1e6]);
  };
  // 1 and 1 / log2(3), over their sum.
  const expected = [[2, 0.613147], [1, 0.386853]];
  assert.deepEqual(await teach([1]), expected);
  assert.deepEqual(await teach([1], ["transitions", "transitions"]), expected);
  assert.deepEqual(await teach([3]), [], "nothing followed item 3");
  assert.deepEqual(await teach([]), []);
});

Deno.test("collaborative refuses a source that is no recommender", async () => {
  const settings = { collaborative: ["runs/none"] };
  await assert.rejects(makeReward("collaborative", exampleContext(), settings), {
    name: "UserError",
    message:
      'Cannot reward by the scores of "runs/none": it is no recommender. Expected transitions or a run directory',
  });
});

Deno.test("semantic is the cosine to the nearest target", async () => {
  await withEmbeddings([[1, 0], [1, 1], [0, 2], [-1, 0], [0, 0], [3, 4]], async (embeddings) => {
    const context = exampleContext();
    const values = (items: number[], targets: number[]) =>
      valuesOf("semantic", exampleGroup(items, targets), context, { embeddings });
    assert.deepEqual(await values([0, 1, 2, 3], [0]), [1, 0.707107, 0, -1]);
    assert.deepEqual(await values([1], [3, 2]), [0.707107]);
    // Items 4, a vector of zeros, and 5 share a SID.
    assert.deepEqual(await values([4, 0], [4]), [1, 0]);
    assert.deepEqual(await values([4], [2]), [0.8]);
    // ETEGRec: a hit is worth 1.5.
    const [rule, semantic] = parseRewards(["rule", "semantic:0.5"]);
    const rewards = await createRewards([rule, { ...semantic, config: { embeddings } }], context);
    assert.deepEqual(rounded((await rewards.score(exampleGroup([0, 1], [0]))).total), [1.5, 0.353553]);
  });
});

Deno.test("semantic needs embeddings of the dataset's items", async () => {
  await assert.rejects(makeReward("semantic"), {
    name: "UserError",
    message: "Cannot reward by semantic: it compares item embeddings. Name them: --embeddings items.npy",
  });
  await withEmbeddings([[1, 0]], async (embeddings) => {
    await assert.rejects(
      makeReward("semantic", exampleContext(), { embeddings }),
      /has 1 rows, expected 6, the items of example/,
    );
  });
});

async function withEmbeddings(rows: number[][], use: (path: string) => Promise<void>) {
  const path = await Deno.makeTempFile({ suffix: ".npy" });
  try {
    await Deno.writeFile(path, writeNpy([rows.length, rows[0].length], Float32Array.from(rows.flat())));
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

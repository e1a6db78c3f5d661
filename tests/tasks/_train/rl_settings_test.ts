import assert from "node:assert/strict";
import { configured, RewardFlags, RlFlags } from "../../../tasks/_train/rl_settings.ts";
import { parseRewards } from "../../../train/rl/rewards/by_name.ts";

Deno.test("rewards get their own settings as they were written, lists as lists", () => {
  const rewards = configured(parseRewards(["rule", "collaborative:0.5", "semantic"]), {
    collaborative: ["transitions", "runs/a,b"],
    embeddings: "items.npy",
    beta: 1,
  });
  assert.deepEqual(rewards.map(({ method, weight, config }) => [method.name, weight, config]), [
    ["rule", 1, undefined],
    ["collaborative", 0.5, { collaborative: ["transitions", "runs/a,b"] }],
    ["semantic", 1, { embeddings: "items.npy" }],
  ]);
  assert.deepEqual(rewards[2].method.files?.(rewards[2].config), ["items.npy"]);
});

Deno.test("what no reward of the list has is left alone, and what is not said is the reward's default", () => {
  const [rule, collaborative] = configured(parseRewards(["rule", "collaborative"]), { embeddings: "x.npy" });
  assert.deepEqual([rule.config, collaborative.config], [undefined, { collaborative: ["transitions"] }]);
  assert.deepEqual(Object.keys(RewardFlags), ["collaborative", "embeddings"]);
});

Deno.test("settings of rewards stand in the help where --reward does, with their defaults", () => {
  const { collaborative } = RewardFlags;
  assert.deepEqual(collaborative.meta(), {
    description: "scorers of the reward collaborative: transitions, and run directories",
    group: RlFlags.shape.reward.meta()!.group,
    usually: "transitions",
  });
});

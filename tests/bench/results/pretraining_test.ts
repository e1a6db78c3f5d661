import assert from "node:assert/strict";
import { join } from "node:path";
import { cutModel } from "../../../bench/results/cut_model.ts";
import { type Scored, verdicts } from "../../../bench/results/pretraining_verdict.ts";
import type { UserRanks } from "../../../eval/compare.ts";
import { diskFiles } from "../../../base/files/disk.ts";
import { Pretrained } from "../../../models/hugging_face/pretrained.ts";
import { withShop } from "../../scenarios/text_shop.ts";

const one = (layers: number, arm: string, seed: number, ndcg10: number, test?: UserRanks): Scored => ({
  layers,
  arm,
  seed,
  curve: [],
  hr10: 0,
  ndcg10,
  minutes: 0,
  test,
});

/** A test split of 40 users, of whom the first `hits` have their target in the first place. */
const first = (hits: number): UserRanks => ({
  ranks: Array.from({ length: 40 }, (_, user) => user < hits ? 0 : null),
  sharing: Array(40).fill(1),
});

Deno.test("the test split decides whether a claim holds, by user and over the seeds; valid decides nothing", () => {
  const told = verdicts([
    one(4, "pretrained", 1, 0.02, first(30)),
    one(4, "from scratch", 1, 0.07, first(10)),
    one(4, "pretrained, all tasks", 1, 0.06, first(16)),
    one(4, "from scratch, all tasks", 1, 0.01, first(17)),
    one(4, "pretrained", 2, 0.02, first(30)),
    one(4, "pretrained, all tasks", 2, 0.09, first(16)),
    one(0, "pretrained", 1, 0.05, first(40)),
    one(0, "from scratch", 1, 0.04),
    one(8, "pretrained", 1, 0.05),
  ]);
  const interval = String.raw`\[[+-]\.\d{4}, [+-]\.\d{4}\]`;
  const expected = [
    String
      .raw`4 blocks: that pretrained weights beat fresh ones holds \(test: \.7500 against \.2500, \+\.5000 ${interval}\)`,
    String
      .raw`4 blocks: that pretrained weights beat fresh ones on all tasks is not resolved \(test: \.4000 against \.4250, -\.0250 ${interval}\)`,
    String
      .raw`4 blocks: that alignment tasks help a pretrained model does not hold \(test: \.4000 against \.7500, -\.3500 ${interval}\)`,
    String.raw`4 blocks: that alignment tasks help a model from scratch holds \(test: .*\)`,
    String
      .raw`All blocks: that pretrained weights beat fresh ones was not tested \(valid: \.0500 against \.0400, \+\.0100\)`,
  ];
  assert.equal(told.length, expected.length);
  told.forEach((line, i) => assert.match(line, new RegExp(`^${expected[i]}$`)));
});

Deno.test("a cut of a model has its first blocks, in their bytes", async () => {
  await withShop("qwen3", {}, async (dir) => {
    const [model, cut] = [join(dir, "model"), join(dir, "cut")];
    const before = await Pretrained.open(model, diskFiles);
    await cutModel(model, 1, cut);
    const after = await Pretrained.open(cut, diskFiles);
    assert.deepEqual(after.config, { ...before.config, num_hidden_layers: 1 });
    for (
      const name of ["model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "model.norm.weight"]
    ) {
      assert.deepEqual((await after.read(name)).data, (await before.read(name)).data, name);
    }
    assert.ok((await Deno.stat(join(cut, "tokenizer.json"))).size > 0);
    await assert.rejects(() => cutModel(model, 99, join(dir, "none")), RangeError);
  });
});

import assert from "node:assert/strict";
import { join } from "node:path";
import { cutModel } from "../../../bench/results/cut_model.ts";
import { type Scored, verdicts } from "../../../bench/results/pretraining_verdict.ts";
import { diskFiles } from "../../../base/files/disk.ts";
import { Pretrained } from "../../../models/hugging_face/pretrained.ts";
import { withShop } from "../../scenarios/text_shop.ts";

const one = (layers: number, arm: string, seed: number, ndcg10: number): Scored => ({
  layers,
  arm,
  seed,
  curve: [],
  hr10: 0,
  ndcg10,
  minutes: 0,
});

Deno.test("a claim holds where it does with every seed, and is not told where an arm is missing", () => {
  assert.deepEqual(
    verdicts([
      one(4, "pretrained", 1, 0.08),
      one(4, "from scratch", 1, 0.07),
      one(4, "pretrained, all tasks", 1, 0.06),
      one(4, "pretrained", 2, 0.08),
      one(4, "pretrained, all tasks", 2, 0.09),
      one(0, "pretrained", 1, 0.05),
      one(0, "from scratch", 1, 0.05),
    ]),
    [
      "4 blocks: that pretrained weights beat fresh ones holds (.0800 against .0700, +.0100)",
      "4 blocks: that alignment tasks help a pretrained model holds with some seeds alone " +
      "(.0600 against .0800, -.0200; .0900 against .0800, +.0100)",
      "All blocks: that pretrained weights beat fresh ones does not hold (.0500 against .0500, +.0000)",
    ],
  );
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

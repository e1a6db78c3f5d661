import assert from "node:assert/strict";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { SidVocabulary } from "../../../sid/tokens.ts";
import { Validation } from "../../../train/run/validation.ts";
import { sftConfig } from "../../../train/sft/config.ts";
import { sidInputs } from "../../../train/sft/sid_inputs.ts";
import { sharedDevice } from "../../shared_device.ts";

Deno.test("a validation counts a hit on a SID that several items share by their number", async () => {
  const device = await sharedDevice();
  const dataset = syntheticDataset({ seed: 1, items: 50, users: 60 });
  // Items 0 to 4 share one SID, as in an index whose encoder did not tell them apart.
  const sids = dataset.items.map((_, item) => [`<a_${Math.max(item, 4)}>`, "<b_0>"]);
  const { prompts } = sidInputs(dataset, sids, SidVocabulary.fromSids(sids), sftConfig());
  const shared = dataset.samples.valid.map((sample, i) => ({ ...sample, target: i % 2 === 0 ? i % 5 : 30 }));
  const validation = new Validation({
    device,
    dataset: dataset.name,
    valid: shared.slice(0, 20),
    prompts,
    samples: 20,
    beams: 10,
    normalisation: "vocab",
    tokensPerBatch: 256,
    seed: 1,
  });
  try {
    assert.deepEqual([...validation.sharing].sort(), [...Array(10).fill(1), ...Array(10).fill(5)]);
    const { hr10, ndcg10 } = validation.qualityOf(Array(20).fill(0));
    for (const value of [hr10, ndcg10]) assert.ok(Math.abs(value - 0.6) < 1e-12, `${value}`);
  } finally {
    validation.destroy();
  }
});

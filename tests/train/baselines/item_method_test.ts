import assert from "node:assert/strict";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { rankOf } from "../../../train/baselines/item_training.ts";
import { caser } from "../../../train/baselines/caser.ts";
import { gru4rec } from "../../../train/baselines/gru4rec.ts";
import { hstu } from "../../../train/baselines/hstu.ts";
import type { BaselineMethod } from "../../../train/baselines/method.ts";
import { ndcgAtK } from "../../../eval/metrics.ts";
import { itemSequences, type SequenceTargets } from "../../../train/run/item_sequences.ts";
import { RunDirectory } from "../../../train/run/directory.ts";

const dataset = syntheticDataset({ seed: 1, items: 60, users: 80 });
const methods = [
  // A state within (-1, 1) asks for longer vectors than a normalised one.
  { method: gru4rec, settings: { learningRate: 0.03, initializerRange: 0.3 } },
  { method: caser, settings: { learningRate: 0.01, initializerRange: 0.3 } },
  { method: hstu, settings: { learningRate: 0.01, initializerRange: 0.1 } },
] as unknown as { method: BaselineMethod; settings: object }[];

for (const { method, settings } of methods) {
  Deno.test(`${method.name} learns, and its run loads with the scores that it was validated by`, async () => {
    const out = await Deno.makeTempDir();
    try {
      const device = await Device.open();
      const run = new RunDirectory(out);
      await run.create(false);
      await run.write("config.json", JSON.stringify({ model: method.name }));
      const losses: number[] = [];
      const config = method.Config.parse({
        hiddenSize: 16,
        numTrainEpochs: 4,
        tokensPerBatch: 128,
        maxLength: 8,
        warmupSteps: 4,
        ...settings,
      });
      const { best, stopped } = await method.train({
        device,
        dataset,
        run,
        resume: false,
        signal: new AbortController().signal,
        onEpoch: ({ loss }) => losses.push(loss!),
      }, config);
      assert.equal(stopped, "finished");
      // Blind: ln 60 = 4.09.
      assert.ok(losses[0] < 1.1 * Math.log(60) && losses.at(-1)! < 0.97 * Math.log(60), losses.join(" "));

      const lines = (await run.logged()).filter(({ loss }) => loss !== undefined);
      const read = itemSequences(dataset, 8, (config as { targets: SequenceTargets }).targets);
      const tokens = Array.from({ length: read.count }, (_, i) => read.make(i).tokens.length)
        .reduce((sum, length) => sum + length);
      assert.deepEqual(lines.map((line) => line.tokens), [tokens, tokens, tokens, tokens]);

      const trained = await method.load!(device, await run.checkpoint("best"));
      const { valid } = dataset.samples;
      const lists = await Array.fromAsync(trained.scoreAll(valid.map(({ history }) => history)));
      const ranks = lists.map((scores, i) => rankOf(scores, valid[i].target));
      assert.equal(ndcgAtK(ranks, 10).reduce((sum, value) => sum + value, 0) / valid.length, best!.score);
      trained.destroy();
    } finally {
      await Deno.remove(out, { recursive: true });
    }
  });
}

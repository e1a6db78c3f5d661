import assert from "node:assert/strict";
import { sharedDevice } from "../../shared_device.ts";
import type { Dataset } from "../../../data/dataset.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { UserError } from "../../../base/user_error.ts";
import { credited, mean, ndcgAtK } from "../../../eval/metrics.ts";
import { formatSid } from "../../../sid/tokens.ts";
import type { BaselineEpoch, BaselineInput } from "../../../train/baselines/method.ts";
import { tiger, type TigerConfig } from "../../../train/baselines/tiger.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { openRun } from "../../../train/runs/open_run.ts";

// After an item comes the next one; the last two of 16 share a SID.
const shop = {
  ...syntheticDataset({ seed: 1, items: 50, users: 48 }),
  items: Array.from({ length: 16 }, (_, i) => ({ title: `item ${i}` })),
};
const bought = Array.from({ length: 48 }, (_, u) => Array.from({ length: 8 }, (_, i) => (u + i) % 16));
const samples = (length: number) =>
  bought.map((items, u) => ({ user: `${u}`, history: items.slice(0, length), target: items[length] }));
const dataset: Dataset = {
  ...shop,
  sids: shop.items.map((_, i) => formatSid([Math.min(i, 14) % 4, Math.min(i, 14) >> 2])),
  histories: bought.map((items, u) => ({ user: `${u}`, items: items.slice(0, 6) })),
  samples: { train: [1, 2, 3, 4, 5].flatMap(samples), valid: samples(6), test: samples(7) },
};
const config: TigerConfig = tiger.Config.parse({
  dModel: 32,
  dKv: 16,
  dFf: 32,
  numLayers: 1,
  numDecoderLayers: 1,
  numHeads: 2,
  numTrainEpochs: 3,
  tokensPerBatch: 64,
  warmupSteps: 2,
  dropout: 0.1,
  evalSamples: 80,
  evalBeams: 10,
  causalEncoder: true,
  emaDecay: 0.9,
  learningRate: 1e-2,
});

async function train(folder: string, more: Partial<BaselineInput> = {}) {
  const device = await sharedDevice();
  const run = new RunDirectory(folder);
  await run.create(more.resume ?? false);
  await run.write("config.json", JSON.stringify({ model: "tiger", data: "shop", ...config }));
  const signal = new AbortController().signal;
  const result = await tiger.train({ device, dataset, run, resume: false, signal, ...more }, config);
  return { device, run, result };
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("tiger learns, and its run ranks valid samples as well as its log says", async () => {
  await inFolder(async (folder) => {
    const epochs: BaselineEpoch[] = [];
    const { device, result } = await train(folder, { onEpoch: (epoch) => epochs.push(epoch) });
    assert.equal(result.stopped, "finished");
    assert.ok(epochs[2].loss! < epochs[0].loss! - 0.2, `loss ${epochs.map(({ loss }) => loss)}`);
    const trained = await openRun(folder, { dataset, device });
    const { names } = trained.catalogue;
    assert.deepEqual([names[14] === names[15], trained.provenance.model], [true, "tiger"]);
    const { valid } = dataset.samples;
    assert.ok(
      valid.length <= config.evalSamples,
      `${valid.length} samples: validation would draw some of them`,
    );
    const lists = await trained.recommend(valid, { k: 10 });
    const ranks = lists.map((candidates, i) => {
      const place = candidates.findIndex(({ name }) => name === names[valid[i].target]);
      return place < 0 ? null : place;
    });
    const best = epochs.findLast(({ best }) => best)!;
    const sharing = Float64Array.from(
      valid,
      ({ target }) => names.filter((name) => name === names[target]).length,
    );
    assert.ok(Math.abs(mean(credited(ndcgAtK(ranks, 10), sharing)) - best.valid!.ndcg10) < 1e-6);
    trained.destroy();
  });
});

Deno.test("a tiger run that was stopped between epochs and resumed has the bytes of one that was not", async () => {
  await inFolder(async (folder) => {
    const whole = await train(`${folder}/whole`);
    const controller = new AbortController();
    const onEpoch = ({ epoch }: BaselineEpoch) => epoch === 1 && controller.abort();
    const stopped = await train(`${folder}/stopped`, { signal: controller.signal, onEpoch });
    assert.equal(stopped.result.stopped, "interrupted");
    const resumed = await train(`${folder}/stopped`, { resume: true });
    assert.ok(resumed.result.steps < whole.result.steps);
    for (const name of ["model.safetensors", "trainer.safetensors"]) {
      const [a, b] = await Promise.all(
        [whole, resumed].map(async ({ run }) =>
          await Deno.readFile(`${await run.checkpoint("latest")}/${name}`)
        ),
      );
      assert.deepEqual(a, b, name);
    }
  });
});

Deno.test("tiger without SIDs says how to make some", async () => {
  await inFolder(async (folder) => {
    await assert.rejects(
      () => train(folder, { dataset: shop }),
      (error) => error instanceof UserError && /it ships none.*genrec sid/.test(error.message),
    );
  });
});

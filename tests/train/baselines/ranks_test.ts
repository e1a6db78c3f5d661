import assert from "node:assert/strict";
import { ALONE, type World } from "../../../base/parallel/world.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { tiger } from "../../../train/baselines/tiger.ts";
import { sasrec, type SasrecConfig } from "../../../train/baselines/sasrec.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { worldsOf } from "../../base/parallel/in_process.ts";

const dataset = syntheticDataset({ seed: 1, items: 60, users: 80 });
const small = {
  hiddenSize: 16,
  numHiddenLayers: 1,
  numTrainEpochs: 2,
  batchSize: 60,
  tokensPerBatch: 64,
  learningRate: 0.01,
  warmupSteps: 4,
  initializerRange: 0.1,
  // Each micro batch draws its own.
  loss: "bce" as const,
};

async function train(out: string, worlds: World[], settings: Partial<SasrecConfig> = {}) {
  const run = new RunDirectory(out);
  await run.create(false);
  await run.write("config.json", JSON.stringify({ model: "sasrec" }));
  const signal = new AbortController().signal;
  await Promise.all(worlds.map(async (world) => {
    const input = {
      device: await Device.open(),
      dataset,
      run: new RunDirectory(out),
      resume: false,
      signal,
      world,
    };
    await sasrec.train(input, sasrec.Config.parse({ ...small, ...settings }));
  }));
  const folder = await run.checkpoint("latest");
  const lines = (await run.logged()).map(({ seconds: _, ...line }) => line);
  const [model, trainer] = await Promise.all(
    ["model", "trainer"].map((name) => Deno.readFile(`${folder}/${name}.safetensors`)),
  );
  return { lines, model, trainer };
}

Deno.test("SASRec of 1, 2 and 4 ranks ends with the same bytes and lines", async () => {
  const folder = await Deno.makeTempDir();
  const alone = await train(`${folder}/1`, [ALONE]);
  for (const size of [2, 4]) {
    assert.deepEqual(await train(`${folder}/${size}`, worldsOf(size)), alone, `${size} ranks`);
  }
  const averaged = await train(`${folder}/averaged`, [ALONE], { emaDecay: 0.5 });
  assert.notDeepEqual(averaged.model, alone.model);
  const shared = await train(`${folder}/shared`, worldsOf(2), { emaDecay: 0.5, zeroStage: 1 });
  assert.deepEqual(shared, averaged, "moments and average are put together");
  await assert.rejects(
    train(`${folder}/idle`, worldsOf(2), { batchSize: 0 }),
    /^UserError: Cannot train on 2 processes: .* 1 of all processes together, would go to 1 of them\. Use a larger --b/,
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("TIGER of 1, 2 and 4 ranks ends with the same bytes and lines", async () => {
  const folder = await Deno.makeTempDir();
  const sids = dataset.items.map((_, i) => [`<a_${i % 8}>`, `<b_${i >> 3}>`]);
  const config = tiger.Config.parse({
    dModel: 16,
    dKv: 8,
    dFf: 16,
    numLayers: 1,
    numDecoderLayers: 1,
    numHeads: 2,
    numTrainEpochs: 1,
    tokensPerBatch: 256,
    gradientAccumulationSteps: 4,
    evalSamples: 10,
    evalBeams: 4,
  });
  const runs = await Promise.all([1, 2, 4].map(async (size) => {
    const run = new RunDirectory(`${folder}/${size}`);
    await run.create(false);
    await run.write("config.json", JSON.stringify({ model: "tiger" }));
    await Promise.all((size === 1 ? [ALONE] : worldsOf(size)).map(async (world) => {
      const signal = new AbortController().signal;
      const input = {
        device: await Device.open(),
        dataset: { ...dataset, sids },
        run,
        resume: false,
        signal,
        world,
      };
      await tiger.train(input, { ...config, zeroStage: size === 4 ? 1 : 0 });
    }));
    const lines = (await run.logged()).map(({ seconds: _, ...line }) => line);
    return { lines, model: await Deno.readFile(`${await run.checkpoint("latest")}/model.safetensors`) };
  }));
  assert.ok(runs[0].lines.length > 0);
  assert.deepEqual(runs[1], runs[0]);
  assert.deepEqual(runs[2], runs[0]);
  await Deno.remove(folder, { recursive: true });
});

import assert from "node:assert/strict";
import { ALONE, type World } from "../../../base/parallel/world.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { SidVocabulary } from "../../../sid/tokens.ts";
import { PackedData } from "../../../train/run/packed_data.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { Validation } from "../../../train/run/validation.ts";
import { sftConfig } from "../../../train/sft/config.ts";
import { scratchDecoder } from "../../../train/sft/scratch_decoder.ts";
import { type SftInput, trainSft } from "../../../train/sft/sft.ts";
import { sidInputs } from "../../../train/sft/sid_inputs.ts";
import { worldsOf } from "../../base/parallel/in_process.ts";

const dataset = syntheticDataset({ seed: 1, items: 60, users: 80 });
const sids = dataset.items.map((_, i) => [`<a_${i % 8}>`, `<b_${Math.floor(i / 8)}>`]);
const vocabulary = SidVocabulary.fromSids(sids);
const config = sftConfig({
  hiddenSize: 16,
  intermediateSize: 32,
  // Gradients of each are summed by themselves.
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  tokensPerBatch: 128,
  gradientAccumulationSteps: 4,
  // The last step of an epoch has fewer micro batches.
  maxSteps: 14,
  numTrainEpochs: 30,
  warmupSteps: 2,
  loggingSteps: 3,
  evalSteps: 5,
  evalSamples: 40,
  evalBeams: 10,
  learningRate: 0.01,
  dropout: 0.1,
});

/** A device for each rank, as processes have. */
const devices: Device[] = [];
const deviceOf = async ({ rank }: World) => devices[rank] ??= await Device.open();

/** One rank of a training. */
async function rank(out: string, world: World, more: Partial<SftInput> = {}) {
  const device = await deviceOf(world);
  const run = new RunDirectory(out);
  const { source, prompts, architecture } = sidInputs(dataset, sids, vocabulary, config);
  return await trainSft({
    device,
    data: new PackedData(source, config, config.seed),
    makeDecoder: () => scratchDecoder(device, architecture, config.seed),
    validation: new Validation({
      device,
      dataset: dataset.name,
      valid: dataset.samples.valid,
      prompts,
      samples: config.evalSamples,
      beams: config.evalBeams,
      normalisation: "vocab",
      tokensPerBatch: config.tokensPerBatch,
      seed: config.seed,
      world,
    }),
    config,
    run,
    resume: false,
    signal: new AbortController().signal,
    world,
    ...more,
  });
}

async function train(out: string, worlds: World[], more: (world: World) => Partial<SftInput> = () => ({})) {
  const run = new RunDirectory(out);
  if (!more(worlds[0]).resume) await run.create(false);
  await run.write("config.json", "{}");
  const ends = await Promise.all(worlds.map((world) => rank(out, world, more(world))));
  for (const end of ends) assert.deepEqual([end.stopped, end.steps], [ends[0].stopped, ends[0].steps]);
  return ends[0];
}

/** What a run leaves, its times left out. */
async function leftBy(out: string) {
  const run = new RunDirectory(out);
  const folder = await run.checkpoint("latest");
  const files = ["model.safetensors", "trainer.safetensors"].map((name) =>
    Deno.readFile(`${folder}/${name}`)
  );
  const lines = (await run.logged()).map(({ seconds: _, ...line }) => line);
  return { lines, best: await run.read("best"), files: await Promise.all(files) };
}

Deno.test("1, 2, 3 and 4 ranks end with the same bytes, lines and validations", async () => {
  const folder = await Deno.makeTempDir();
  await train(`${folder}/1`, [ALONE]);
  const alone = await leftBy(`${folder}/1`);
  assert.equal(alone.lines.filter(({ valid }) => valid).length, 3);
  for (const [size, zeroStage] of [[2, 0], [2, 1], [3, 1], [4, 0]]) {
    const out = `${folder}/${size}-${zeroStage}`;
    await train(out, worldsOf(size), () => ({ config: { ...config, zeroStage } }));
    assert.deepEqual(await leftBy(out), alone, `${size} ranks, stage ${zeroStage}`);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a run that one rank was told to stop is resumed by another number of ranks, with the same bytes", async () => {
  const folder = await Deno.makeTempDir();
  await train(`${folder}/whole`, [ALONE]);
  const abort = new AbortController();
  const stopped = await train(
    `${folder}/parts`,
    worldsOf(3),
    // Each with a share of the moments, which the others start with.
    ({ rank }) => ({
      config: { ...config, zeroStage: 1 },
      ...(rank === 2 && { signal: abort.signal, onStep: (step) => step === 6 && abort.abort() }),
    }),
  );
  // Heard with the step after the one that it came in.
  assert.deepEqual([stopped.stopped, stopped.steps], ["interrupted", 7]);
  const resumed = await train(`${folder}/parts`, worldsOf(2), () => ({ resume: true }));
  assert.deepEqual([resumed.stopped, resumed.steps], ["finished", 7]);
  assert.deepEqual(await leftBy(`${folder}/parts`), await leftBy(`${folder}/whole`));
  await Deno.remove(folder, { recursive: true });
});

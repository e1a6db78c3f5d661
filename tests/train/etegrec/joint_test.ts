import assert from "node:assert/strict";
import { PhiloxStream } from "../../../base/philox.ts";
import { ALONE, type World } from "../../../base/parallel/world.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { rehearsed } from "../../../kernels/gpu/rehearsal.ts";
import { readSafetensors } from "../../../models/safetensors/safetensors.ts";
import { rqVae } from "../../../sid/methods/rq_vae.ts";
import { codeTable, tokenStrings } from "../../../train/etegrec/code_table.ts";
import { type EtegrecConfig, EtegrecSchema } from "../../../train/etegrec/config.ts";
import { type JointInput, PhaseSchedules, trainJoint } from "../../../train/etegrec/joint.ts";
import {
  ItemTokenizer,
  readItemTokenizer,
  type StoredItemTokenizer,
} from "../../../train/etegrec/item_tokenizer.ts";
import { pretrainingConfig } from "../../../train/etegrec/item_tokenizer_config.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { worldsOf } from "../../base/parallel/in_process.ts";

const ITEMS = 50;
const WIDTH = 8;
const dataset = syntheticDataset({ seed: 1, items: ITEMS, users: 30 });
const random = new PhiloxStream(1, "test vectors");
const vectors = {
  data: Float32Array.from({ length: ITEMS * WIDTH }, () => random.normal()),
  rows: ITEMS,
  dim: WIDTH,
};

const config: EtegrecConfig = EtegrecSchema.parse({
  dModel: 8,
  dKv: 4,
  dFf: 8,
  numLayers: 1,
  numDecoderLayers: 1,
  numHeads: 2,
  maxHistory: 4,
  tokensPerBatch: 160,
  causalEncoder: true,
  warmupSteps: 2,
  dropout: 0.1,
  evalSamples: 20,
  evalBeams: 10,
  numTrainEpochs: 4,
  warmEpochs: 1,
  siaWeight: 0.1,
  psaWeight: 0.1,
  tokenizerLearningRate: 0.02,
  tokenizerLevels: 2,
  tokenizerCodebookSize: 8,
  tokenizerLatentDim: 4,
  tokenizerLayers: [8],
  tokenizerEpochs: 4,
  suffixCodes: 16,
});

const device = await Device.open();
/** A device for each rank, as processes have. */
const devices: Promise<Device>[] = [];
const fit = await rqVae.fit(device, { embeddings: vectors }, pretrainingConfig(config, 1));
const start: StoredItemTokenizer = { ...fit.model, normalize: config.tokenizerNormalize };

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function train(out: string, settings: Partial<EtegrecConfig> = {}, more: Partial<JointInput> = {}) {
  const run = new RunDirectory(out, { saveTotalLimit: 0 });
  if ((more.world ?? ALONE).rank === 0) {
    await run.create(more.resume ?? false);
    await run.write("config.json", "{}");
  }
  const signal = new AbortController().signal;
  const input: JointInput = { device, dataset, vectors, start, run, resume: false, signal, ...more };
  return { run, result: await trainJoint(input, { ...config, ...settings }) };
}

async function linesOf(run: RunDirectory): Promise<Record<string, unknown>[]> {
  return (await run.read("metrics.jsonl")).trim().split("\n").map((line) => {
    const { seconds: _, ...entry } = JSON.parse(line);
    return entry;
  });
}

const FILES = [
  "model.safetensors",
  "trainer.safetensors",
  "rqvae.safetensors",
  "rqvae.trainer.safetensors",
  "index.json",
];

async function bytesOf(run: RunDirectory, checkpoint: string): Promise<Record<string, Uint8Array>> {
  const folder = await run.checkpoint(checkpoint);
  return Object.fromEntries(
    await Promise.all(FILES.map(async (name) => [name, await Deno.readFile(`${folder}/${name}`)])),
  );
}

Deno.test("trainJoint() takes turns, and stopped amid an epoch of either phase it goes on to the same bytes", async () => {
  await withFolder(async (folder) => {
    const whole = await train(`${folder}/whole`);
    assert.equal(whole.result.stopped, "finished");
    const steps = whole.result.steps / config.numTrainEpochs;
    assert.ok(steps >= 2, `${steps} steps an epoch`);
    const epochs = await Promise.all(
      [1, 2, 3, 4].map((epoch) => bytesOf(whole.run, `step-${epoch * steps}`)),
    );

    // One learns, the other stays as it is.
    assert.deepEqual(epochs[1]["rqvae.safetensors"], epochs[0]["rqvae.safetensors"]);
    assert.deepEqual(epochs[1]["index.json"], epochs[0]["index.json"]);
    assert.notDeepEqual(epochs[1]["model.safetensors"], epochs[0]["model.safetensors"]);
    assert.deepEqual(epochs[2]["model.safetensors"], epochs[1]["model.safetensors"]);
    assert.notDeepEqual(epochs[2]["rqvae.safetensors"], epochs[1]["rqvae.safetensors"]);

    for (const at of [2.5, 3.5]) {
      const abort = new AbortController();
      const out = `${folder}/stopped-${at}`;
      const stopped = await train(out, {}, {
        signal: abort.signal,
        onStep: (step) => step >= steps * at && abort.abort(),
      });
      assert.equal(stopped.result.stopped, "interrupted");
      assert.equal(stopped.result.steps, steps * Math.floor(at));
      const resumed = await train(out, {}, { resume: true });
      assert.equal(resumed.result.stopped, "finished");
      assert.deepEqual(await linesOf(resumed.run), await linesOf(whole.run));
      assert.deepEqual(await bytesOf(resumed.run, "latest"), epochs[3]);
      assert.equal(await resumed.run.read("best"), await whole.run.read("best"));
    }
  });
});

Deno.test("rehearsed() counts both phases of trainJoint() with a validation", async () => {
  await withFolder(async (folder) => {
    const own = await Device.open();
    const tokenizer = new ItemTokenizer(own, vectors, start);
    const codes = await codeTable(tokenizer, config);
    tokenizer.destroy();
    const { bytes: counted } = await rehearsed(own, (device, stop) =>
      trainJoint({
        ...{ device, dataset, vectors, start, codes, resume: false, rehearsed: stop },
        run: new RunDirectory(`${folder}/none`),
        signal: new AbortController().signal,
      }, { ...config, warmEpochs: 0 }));
    await train(`${folder}/run`, { numTrainEpochs: 2, warmEpochs: 0 }, { device: own });
    const held = own.memory.peak;
    assert.ok(Math.abs(counted - held) <= 0.1 * held, `${counted} counted, ${held} held`);
    own.gpu.destroy();
  });
});

Deno.test("trainJoint() with accumulation takes fewer steps, and its losses are means over them", async () => {
  await withFolder(async (folder) => {
    const settings = { numTrainEpochs: 2, warmEpochs: 0, dropout: 0 };
    const single = await train(`${folder}/single`, settings);
    const two = await train(`${folder}/two`, { ...settings, gradientAccumulationSteps: 2 });
    assert.equal(two.result.steps, 2 * Math.ceil(single.result.steps / 4));
    const [one, other] = await Promise.all([single, two].map(({ run }) => linesOf(run)));
    // Before the tokenizer has moved far, both see the same items.
    const terms = ["reconstruction", "quantization 1", "sia 1"];
    for (const term of terms) {
      const [a, b] = [one[0][term], other[0][term]] as number[];
      assert.ok(b > 0.5 * a && b < 2 * a, `${term}: ${a} and ${b}`);
    }
  });
});

Deno.test("trainJoint() of two ranks that share the moments ends with the bytes and lines of one, in both phases", async () => {
  await withFolder(async (folder) => {
    const settings = { tokensPerBatch: 80, gradientAccumulationSteps: 4 };
    const alone = await train(`${folder}/one`, settings);
    const shared = { ...settings, zeroStage: 1 };
    const abort = new AbortController();
    const together = (resume: boolean, more: (world: World) => Partial<JointInput>) =>
      Promise.all(
        worldsOf(2).map(async (world) => {
          const device = await (devices[world.rank] ??= Device.open());
          return await train(`${folder}/two`, shared, { device, world, resume, ...more(world) });
        }),
      );
    // In the recommender's first epoch, after one of the tokenizer.
    const stop = (step: number) => step > alone.result.steps / 4 && abort.abort();
    const [stopped] = await together(
      false,
      ({ rank }) => rank === 1 ? { signal: abort.signal, onStep: stop } : {},
    );
    assert.deepEqual([stopped.result.stopped, stopped.result.steps], [
      "interrupted",
      alone.result.steps / 2,
    ]);
    const [{ run, result }] = await together(true, () => ({}));
    assert.equal(result.stopped, "finished");
    assert.deepEqual(await linesOf(run), await linesOf(alone.run));
    assert.deepEqual(await bytesOf(run, "latest"), await bytesOf(alone.run, "latest"));
  });
});

Deno.test("trainJoint() logs each phase with its losses, its own learning rate and the SIDs that changed", async () => {
  await withFolder(async (folder) => {
    const told: number[][] = [];
    const onCodes: JointInput["onCodes"] = (epoch, changed) => told.push([epoch, changed]);
    const { run, result } = await train(`${folder}/run`, {}, { onCodes });
    const lines = await linesOf(run);
    const steps = result.steps / config.numTrainEpochs;
    const epochs = lines.filter(({ epoch }) => epoch !== undefined);
    assert.deepEqual(epochs.map(({ phase }) => phase), [
      "tokenizer",
      "recommender",
      "tokenizer",
      "recommender",
    ]);
    // Validations follow the recommender's epochs.
    assert.deepEqual(lines.filter(({ valid }) => valid).map(({ step }) => step), [2 * steps, 4 * steps]);
    const has = (line: number, term: string) => epochs[line][term] !== undefined;
    assert.deepEqual([0, 1, 2, 3].map((line) => has(line, "sia 2")), [false, true, true, true]);
    assert.deepEqual([0, 1, 2, 3].map((line) => has(line, "psa 1")), [false, true, true, true]);
    assert.deepEqual([0, 1, 2, 3].map((line) => has(line, "reconstruction")), [true, false, true, false]);
    assert.ok((epochs[3]["next item"] as number) < (epochs[1]["next item"] as number));
    const schedules = new PhaseSchedules([steps, steps, steps, steps], config);
    epochs.forEach(({ learningRate }, epoch) =>
      assert.equal(learningRate, schedules.learningRate(epoch, steps - 1))
    );

    // SIDs of a checkpoint are what its tokenizer codes.
    assert.deepEqual(told.map(([epoch]) => epoch), [1, 3]);
    assert.deepEqual(told.map(([, changed]) => changed), [epochs[0].changedItems, epochs[2].changedItems]);
    assert.ok(told[0][1] > 0 && told[0][1] <= ITEMS);
    const latest = await run.checkpoint("latest");
    const tokenizer = new ItemTokenizer(device, vectors, await readItemTokenizer(latest));
    const sids = tokenStrings(await codeTable(tokenizer, config));
    tokenizer.destroy();
    const index = JSON.parse(await Deno.readTextFile(`${latest}/index.json`));
    assert.deepEqual(Object.values(index), sids);
    assert.equal(new Set(sids.map((sid) => sid.join(""))).size, ITEMS);
  });
});

Deno.test("trainJoint() moves the adapters by the alignment losses alone", async () => {
  await withFolder(async (folder) => {
    const biases = async (name: string, settings: Partial<EtegrecConfig>) => {
      const { run } = await train(`${folder}/${name}`, { numTrainEpochs: 2, evalSamples: 0, ...settings });
      const path = `${await run.checkpoint("latest")}/model.safetensors`;
      const tensors = readSafetensors(await Deno.readFile(path), path);
      return ["enc_adapter.bias", "dec_adapter.bias"].map((name) =>
        tensors.get(name)!.data.some((value) => value !== 0)
      );
    };
    assert.deepEqual(await biases("both", {}), [true, true]);
    assert.deepEqual(await biases("sia", { psaWeight: 0 }), [true, false]);
    assert.deepEqual(await biases("psa", { siaWeight: 0 }), [false, true]);
    assert.deepEqual(await biases("warm", { warmEpochs: 2 }), [false, false]);
  });
});

Deno.test("PhaseSchedules go on in their own phase alone", () => {
  const schedules = new PhaseSchedules([3, 2, 3, 2], {
    ...config,
    lrSchedulerType: "linear",
    warmupSteps: 2,
    learningRate: 0.8,
    tokenizerLearningRate: 0.5,
  });
  const rates = (epoch: number, steps: number) =>
    Array.from({ length: steps }, (_, i) => Number(schedules.learningRate(epoch, i).toFixed(6)));
  // One step of warmup, then 5 of decay; two and 2.
  assert.deepEqual([...rates(0, 3), ...rates(2, 3)], [0.5, 0.5, 0.4, 0.3, 0.2, 0.1]);
  assert.deepEqual([...rates(1, 2), ...rates(3, 2)], [0.4, 0.8, 0.8, 0.4]);
});

import assert from "node:assert/strict";
import { ownDevice, sharedDevice } from "../../shared_device.ts";
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import type { Device } from "../../../kernels/gpu/device.ts";
import { SidVocabulary } from "../../../sid/tokens.ts";
import { loadDecoder } from "../../../train/run/checkpoint.ts";
import { PackedData } from "../../../train/run/packed_data.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { type SftConfig, sftConfig } from "../../../train/sft/config.ts";
import { scratchDecoder } from "../../../train/sft/scratch_decoder.ts";
import { type SftInput, trainSft } from "../../../train/sft/sft.ts";
import { sidInputs } from "../../../train/sft/sid_inputs.ts";
import { Validation } from "../../../train/run/validation.ts";

const dataset = syntheticDataset({ seed: 1, items: 60, users: 80 });
const sids = dataset.items.map((_, i) => [`<a_${i % 8}>`, `<b_${Math.floor(i / 8)}>`]);
const vocabulary = SidVocabulary.fromSids(sids);

const small = {
  hiddenSize: 16,
  intermediateSize: 32,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  tokensPerBatch: 256,
  warmupSteps: 4,
  loggingSteps: 3,
  evalSamples: 20,
  evalBeams: 10,
  learningRate: 0.01,
};

async function train(
  device: Device,
  out: string,
  settings: Partial<SftConfig>,
  more: Partial<SftInput> = {},
) {
  const run = new RunDirectory(out);
  await run.create(more.resume ?? false);
  await run.write("config.json", "{}");
  const config = sftConfig({ ...small, ...settings });
  const { source, prompts, architecture } = sidInputs(dataset, sids, vocabulary, config);
  const result = await trainSft({
    device,
    data: new PackedData(source, config, config.seed),
    makeDecoder: () => scratchDecoder(device, architecture, config.seed),
    validation: config.evalSamples === 0 ? undefined : new Validation({
      device,
      dataset: dataset.name,
      valid: dataset.samples.valid,
      prompts,
      samples: config.evalSamples,
      beams: config.evalBeams,
      normalisation: "vocab",
      tokensPerBatch: config.tokensPerBatch,
      seed: config.seed,
    }),
    config,
    run,
    resume: false,
    signal: new AbortController().signal,
    ...more,
  });
  return { run, result };
}

async function bytesOf(run: RunDirectory, file: string): Promise<Uint8Array> {
  return await Deno.readFile(`${await run.checkpoint("latest")}/${file}`);
}

async function losses(run: RunDirectory): Promise<{ step: number; loss: number; gradNorm: number }[]> {
  const lines = (await run.read("metrics.jsonl")).trim().split("\n").map((line) => JSON.parse(line));
  return lines.filter(({ loss }) => loss).map(({ step, loss, gradNorm }) => ({ step, loss, gradNorm }));
}

async function validations(run: RunDirectory): Promise<unknown[]> {
  const lines = (await run.read("metrics.jsonl")).trim().split("\n").map((line) => JSON.parse(line));
  return lines.filter(({ valid }) => valid);
}

for (const mode of ["histories", "samples"] as const) {
  Deno.test(`trainSft() learns and gives the same bytes for the same seed, ${mode}`, async () => {
    const folder = await Deno.makeTempDir();
    const device = await sharedDevice();
    const settings = { mode, maxSteps: 60, numTrainEpochs: 60, gradientAccumulationSteps: 2, dropout: 0 };
    const first = await train(device, `${folder}/a`, settings);
    const second = await train(device, `${folder}/b`, settings);
    const curve = await losses(first.run);
    // A uniform guess over the 19 tokens has ln 19 = 2.94, one that knows the levels about ln 8 = 2.08.
    assert.ok(
      curve[0].loss > 2.7 && curve.at(-1)!.loss < 2.3,
      `loss went from ${curve[0].loss} to ${curve.at(-1)!.loss}`,
    );
    for (const file of ["model.safetensors", "trainer.safetensors"]) {
      assert.deepEqual(await bytesOf(first.run, file), await bytesOf(second.run, file), file);
    }
    const other = await train(device, `${folder}/c`, { ...settings, seed: 7, maxSteps: 2 });
    assert.notEqual((await losses(other.run))[0].loss, curve[0].loss);
    await Deno.remove(folder, { recursive: true });
  });
}

Deno.test("trainSft() sends a step in one submit", async () => {
  const folder = await Deno.makeTempDir();
  const device = await sharedDevice();
  const submits: number[] = [];
  const count = () => void submits.push(device.counters.submits);
  const settings = {
    maxSteps: 12,
    numTrainEpochs: 30,
    loggingSteps: 6,
    evalSteps: 100,
    evalSamples: 0,
    dropout: 0.1,
  };
  await train(device, `${folder}/run`, settings, { onStart: count, onStep: count });
  // Six steps, the read of a line of the log, and its sums set to 0; the first step also uploads a table.
  assert.equal(submits[2] - submits[1], 6 + 2);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("trainSft() stopped and resumed equals one that was not, bytes and log", async () => {
  const folder = await Deno.makeTempDir();
  const device = await sharedDevice();
  const settings = { maxSteps: 30, numTrainEpochs: 30, evalSteps: 7 };
  const whole = await train(device, `${folder}/whole`, settings);
  assert.equal(whole.result.stopped, "finished");

  const abort = new AbortController();
  const stopped = await train(device, `${folder}/parts`, settings, {
    signal: abort.signal,
    // Right after a validation, amid a logging interval.
    onValidation: (step) => step === 14 && abort.abort(),
  });
  assert.equal(stopped.result.stopped, "interrupted");
  const resumed = await train(await ownDevice(), `${folder}/parts`, settings, { resume: true });
  assert.equal(resumed.result.stopped, "finished");
  for (const file of ["model.safetensors", "trainer.safetensors"]) {
    assert.deepEqual(await bytesOf(resumed.run, file), await bytesOf(whole.run, file), file);
  }
  assert.deepEqual(await losses(resumed.run), await losses(whole.run));
  assert.deepEqual(resumed.result.best, whole.result.best);
  await Deno.remove(folder, { recursive: true });
});

for (const optim of ["adafactor", "adamw_8bit"] as const) {
  Deno.test(`trainSft() learns with ${optim}, and stopped and resumed gives the same bytes`, async () => {
    const folder = await Deno.makeTempDir();
    const device = await sharedDevice();
    const wide = { hiddenSize: 64, numHiddenLayers: 1, evalSamples: 0, dropout: 0, emaDecay: 0.9 };
    const settings = { ...wide, optim, maxSteps: 24, numTrainEpochs: 30 };
    const whole = await train(device, `${folder}/whole`, settings);
    const curve = await losses(whole.run);
    assert.ok(curve[0].loss > 2.7 && curve.at(-1)!.loss < 2.5, `loss of ${curve.map(({ loss }) => loss)}`);
    const abort = new AbortController();
    const onStep = (step: number) => step === 9 && abort.abort();
    await train(device, `${folder}/parts`, settings, { signal: abort.signal, onStep });
    const resumed = await train(device, `${folder}/parts`, settings, { resume: true });
    assert.equal(resumed.result.steps, 15);
    for (const file of ["model.safetensors", "trainer.safetensors"]) {
      assert.deepEqual(await bytesOf(resumed.run, file), await bytesOf(whole.run, file), file);
    }
    const other = optim === "adafactor" ? "adamw_8bit" : "adafactor";
    await assert.rejects(
      () => train(device, `${folder}/parts`, { ...settings, optim: other }, { resume: true }),
      /Cannot resume from .*: array \w+ has 0 numbers, expected \d+. Use .* the same --optim/,
    );
    await assert.rejects(
      () => train(device, `${folder}/shared`, { ...settings, zeroStage: 1 }),
      new RegExp(`Cannot share the moments of --optim ${optim} among ranks .*: expected --optim adamw_torch`),
    );
    await Deno.remove(folder, { recursive: true });
  });
}

Deno.test("trainSft() stopped before a validation that is due catches up on it when resumed", async () => {
  const folder = await Deno.makeTempDir();
  const device = await sharedDevice();
  const settings = { maxSteps: 14, numTrainEpochs: 30, evalSteps: 7, loggingSteps: 7 };
  const whole = await train(device, `${folder}/whole`, settings);
  for (const stopAt of [7, 14]) {
    const out = `${folder}/at-${stopAt}`;
    const abort = new AbortController();
    const onStep = (step: number) => step === stopAt && abort.abort();
    const stopped = await train(device, out, settings, { signal: abort.signal, onStep });
    assert.equal(stopped.result.stopped, "interrupted");
    const resumed = await train(device, out, settings, { resume: true });
    assert.equal(resumed.result.stopped, "finished");
    assert.deepEqual(resumed.result.best, whole.result.best);
    assert.deepEqual(await validations(resumed.run), await validations(whole.run));
    assert.equal(await resumed.run.read("best"), await whole.run.read("best"));
    // Nothing is left to do.
    const again = await train(device, out, settings, { resume: true });
    assert.deepEqual([again.result.stopped, again.result.steps], ["finished", 0]);
    assert.deepEqual(await validations(again.run), await validations(whole.run));
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("trainSft() stops early, keeps the best and the latest checkpoint, and both load", async () => {
  const folder = await Deno.makeTempDir();
  const device = await sharedDevice();
  // No step size, no progress: the first validation stays the best.
  const settings = { learningRate: 1e-12, numTrainEpochs: 50, evalSteps: 2, patience: 2 };
  const { run, result } = await train(device, `${folder}/run`, settings);
  assert.equal(result.stopped, "early");
  assert.equal(result.steps, 6);
  assert.equal(result.best?.step, 2);
  const kept = [];
  for await (const entry of Deno.readDir(`${folder}/run/checkpoints`)) kept.push(entry.name);
  assert.deepEqual(kept.sort(), ["step-2", "step-6"]);
  const again = await train(device, `${folder}/run`, settings, { resume: true });
  assert.deepEqual([again.result.stopped, again.result.steps], ["early", 0]);
  for (const which of ["best", "latest"]) {
    const decoder = await loadDecoder(device, await run.checkpoint(which));
    assert.equal(decoder.vocabulary, vocabulary.size);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a steady training step allocates nothing, holds no more memory and costs few submits", async () => {
  const folder = await Deno.makeTempDir();
  const device = await ownDevice();
  type Held = Pick<Device["memory"], "buffers" | "textures" | "peak">;
  const seen: (Device["counters"] & Held & { step: number })[] = [];
  const settings = { maxSteps: 30, numTrainEpochs: 30, evalSamples: 0, saveSteps: 30 };
  await train(device, `${folder}/run`, settings, {
    onStep: (step) => void seen.push({ step, ...device.counters, ...device.memory }),
  });
  const [before, after] = [seen.at(-4)!, seen.at(-2)!];
  for (const key of ["allocations", "bindGroups", "pipelines", "buffers", "textures", "peak"] as const) {
    assert.equal(after[key], before[key], key);
  }
  assert.ok(before.peak >= before.buffers + before.textures && before.peak > 0);
  const submits = (after.submits - before.submits) / (after.step - before.step);
  assert.ok(submits < 5, `${submits} submits a step`);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("trainSft() refuses an exploded loss and leaves the last checkpoint intact", async () => {
  const folder = await Deno.makeTempDir();
  const device = await ownDevice();
  const settings = {
    learningRate: 1e30,
    maxGradNorm: 0,
    warmupSteps: 6,
    maxSteps: 30,
    saveSteps: 1,
    evalSamples: 0,
  };
  await assert.rejects(
    () => train(device, `${folder}/run`, { ...settings, numTrainEpochs: 30 }),
    /Training stopped at step \d+: the loss is|Cannot save the model: tensor/,
  );
  const run = new RunDirectory(`${folder}/run`);
  if (await Deno.stat(`${folder}/run/latest`).then(() => true, () => false)) {
    await loadDecoder(device, await run.checkpoint("latest"));
  }
  await Deno.remove(folder, { recursive: true });
});

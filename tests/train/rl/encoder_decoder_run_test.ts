import assert from "node:assert/strict";
import { DeviceTrie } from "../../../decode/device_trie.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { EncoderDecoder } from "../../../models/encoder_decoder/encoder_decoder.ts";
import { partsOf } from "../../../models/parameters/parts.ts";
import { savePretrained } from "../../../models/hugging_face/save_pretrained.ts";
import { CodeTokens } from "../../../prompts/code_tokens.ts";
import { buildTrie } from "../../../sid/trie.ts";
import { encoderDecoderConfig } from "../../../train/encoder_decoder/pair_config.ts";
import { rlExamples } from "../../../train/rl/examples/examples.ts";
import { type RlConfig, rlConfig } from "../../../train/rl/config.ts";
import { encoderDecoderPolicy } from "../../../train/rl/policy/policies.ts";
import { type RlRunInput, trainRl } from "../../../train/rl/trainer.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { Validation } from "../../../train/run/validation.ts";
import { bytesOf, dataset, logOf, tinyDevice, withFolder } from "./tiny_run.ts";

const tokens = new CodeTokens(dataset.items.map((_, i) => [i % 10, Math.floor(i / 10)]), { maxHistory: 4 });
/** What the toy rewards. */
const WANTED = dataset.samples.train[0].target;
const SMALL: Partial<RlConfig> = {
  rollout: "sample",
  topK: 8,
  numGenerations: 8,
  promptsPerStep: 4,
  tokensPerBatch: 96,
  beta: 0.01,
  lrSchedulerType: "constant",
  warmupRatio: 0,
  learningRate: 0.01,
  loggingSteps: 2,
  evalSamples: 4,
  evalBeams: 10,
};

let parent: Promise<string> | undefined;

/** Folder of an encoder-decoder that knows nothing yet. */
async function makeParent(): Promise<string> {
  const folder = await Deno.makeTempDir();
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const settings = {
    dModel: 16,
    dKv: 8,
    dFf: 16,
    numLayers: 1,
    numDecoderLayers: 1,
    numHeads: 2,
    dropout: 0,
  };
  const rest = { feedForwardProj: "relu", causalEncoder: false, initializerRange: 0.1 } as const;
  const model = new EncoderDecoder(
    await tinyDevice(),
    encoderDecoderConfig({ ...settings, ...rest }, tokens.sizes),
  );
  model.initialize(1, rest.initializerRange);
  const { parameters } = model;
  const shapes = parameters.specs.flatMap(partsOf);
  for await (const { name, bytes } of savePretrained(model.config, shapes, parameters.readTensors())) {
    await Deno.writeFile(`${folder}/${name}`, bytes);
  }
  model.destroy();
  return folder;
}

async function train(out: string, settings: Partial<RlConfig>, more: Partial<RlRunInput> = {}) {
  const device = more.device ?? await tinyDevice();
  const folder = await (parent ??= makeParent());
  const config = rlConfig({ ...SMALL, ...settings });
  const run = new RunDirectory(out, config);
  if (!more.resume) {
    await run.create(false);
    await run.write("config.json", "{}");
  }
  const { evalSamples: samples, evalBeams: beams, tokensPerBatch, seed } = config;
  const shared = { device, normalisation: "children" as const };
  const result = await trainRl({
    ...shared,
    ...encoderDecoderPolicy(device, folder, config),
    examples: (await rlExamples({ data: "", dataset, prompts: tokens, maxHistory: 4 }, config)).examples,
    rewards: {
      names: ["own"],
      score({ completions }) {
        const total = Float64Array.from(completions, ({ items }) => items[0] === WANTED ? 1 : 0);
        return Promise.resolve({ total, byReward: [total], hits: completions.map(() => false) });
      },
    },
    trie: new DeviceTrie(device, buildTrie(tokens.itemTokens)),
    itemTokens: tokens.itemTokens,
    train: dataset.samples.train,
    validation: new Validation({
      ...shared,
      dataset: dataset.name,
      valid: dataset.samples.valid,
      prompts: tokens,
      samples,
      beams,
      tokensPerBatch,
      seed,
    }),
    config,
    run,
    resume: false,
    companions: [],
    signal: new AbortController().signal,
    ...more,
  });
  return { run, result };
}

Deno.test("trainRl() makes an encoder-decoder write what is rewarded", async () => {
  await withFolder(async (folder) => {
    const { run } = await train(`${folder}/run`, { maxSteps: 14, learningRate: 0.02, evalSteps: 14 });
    const lines = (await logOf(run)).filter(({ valid }) => !valid);
    const rewards = lines.map(({ reward }) => reward);
    assert.ok(rewards[0] < 0.2 && rewards.at(-1) > 0.5, `shares of the rewarded SID ${rewards}`);
    assert.ok(Math.abs(lines[0].entropy) > 0.5 && lines.at(-1).kl > lines[0].kl, JSON.stringify(lines));
  });
});

Deno.test("trainRl() of an encoder-decoder in float16 goes the way of float32", async () => {
  await withFolder(async (folder) => {
    const half = await Device.open({ dtype: "float16" });
    const settings = { maxSteps: 2, loggingSteps: 1, evalSteps: 2, sftLossWeight: 1, learningRate: 1e-3 };
    // deno-lint-ignore no-explicit-any
    const logs: any[][] = [];
    for (const device of [await tinyDevice(), half]) {
      const { run } = await train(`${folder}/${device.dtype}`, settings, { device });
      logs.push((await logOf(run)).filter(({ valid }) => !valid));
    }
    const [exact, rounded] = logs;
    for (const [i, line] of rounded.entries()) {
      assert.deepEqual([line.lossScale, line.skippedUpdates, line.reward], [65536, 0, exact[i].reward]);
      for (const key of ["kl", "entropy", "gradNorm", "supervisedLoss"]) {
        const off = Math.abs(line[key] - exact[i][key]);
        assert.ok(off <= 0.01 * exact[i][key], `step ${i + 1}: ${key} ${line[key]}, not ${exact[i][key]}`);
      }
    }
    assert.ok(exact[1].kl > 1e-3);
  });
});

Deno.test("trainRl() of an encoder-decoder stopped and resumed equals a run that was not", async () => {
  await withFolder(async (folder) => {
    const settings = { loss: "etegrec", maxSteps: 3, evalSteps: 1, dropout: 0.1, refModelSyncSteps: 1 };
    const whole = await train(`${folder}/whole`, settings);
    const abort = new AbortController();
    const stopped = await train(`${folder}/parts`, settings, {
      signal: abort.signal,
      onValidation: (step) => step === 1 && abort.abort(),
    });
    assert.deepEqual([stopped.result.stopped, stopped.result.steps], ["interrupted", 1]);
    const { run, result } = await train(`${folder}/parts`, settings, { resume: true });
    assert.equal(result.stopped, "finished");
    for (const file of ["model.safetensors", "trainer.safetensors", "reference.safetensors"]) {
      assert.deepEqual(await bytesOf(run, file), await bytesOf(whole.run, file), file);
    }
    assert.deepEqual(await logOf(run), await logOf(whole.run));
  });
});

Deno.test("encoderDecoderPolicy() refuses what such a model does not have", async () => {
  const device = await tinyDevice();
  for (
    const [settings, flag] of [[{ loraR: 2 }, "--lora-r"], [{ gradientCheckpointing: true }, "--gradient"]]
  ) {
    const config = rlConfig(settings as Partial<RlConfig>);
    assert.throws(
      () => encoderDecoderPolicy(device, "parent", config),
      new RegExp(`Cannot use ${flag}.* with parent: it is an encoder-decoder`),
    );
  }
});

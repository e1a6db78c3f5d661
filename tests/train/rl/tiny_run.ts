// Runs of reinforcement learning on 50 items, from a model that a few steps of fine-tuning made.
import { syntheticDataset } from "../../../data/synthetic/shop.ts";
import { DeviceTrie } from "../../../decode/device_trie.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { SidVocabulary } from "../../../sid/tokens.ts";
import { buildTrie } from "../../../sid/trie.ts";
import { PackedData } from "../../../train/run/packed_data.ts";
import { createRewards, type RewardSet } from "../../../train/rl/reward_set.ts";
import { parseRewards } from "../../../train/rl/rewards/by_name.ts";
import { rlExamples } from "../../../train/rl/examples/examples.ts";
import { type RlConfig, rlConfig } from "../../../train/rl/config.ts";
import { decoderPolicy } from "../../../train/rl/policy/policies.ts";
import { type RlRunInput, trainRl } from "../../../train/rl/trainer.ts";
import { RunDirectory } from "../../../train/run/directory.ts";
import { scratchDecoder } from "../../../train/sft/scratch_decoder.ts";
import { trainSft } from "../../../train/sft/sft.ts";
import { sftConfig } from "../../../train/sft/config.ts";
import { sidInputs } from "../../../train/sft/sid_inputs.ts";
import { Validation } from "../../../train/run/validation.ts";

export const dataset = syntheticDataset({ seed: 1, items: 50, users: 60 });
const sids = dataset.items.map((_, i) => [`<a_${i % 10}>`, `<b_${Math.floor(i / 10)}>`]);
const vocabulary = SidVocabulary.fromSids(sids);
const sft = sftConfig({
  hiddenSize: 16,
  intermediateSize: 16,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  maxHistory: 4,
  tokensPerBatch: 256,
  maxSteps: 60,
  numTrainEpochs: 60,
  warmupSteps: 4,
  learningRate: 0.02,
  evalSamples: 0,
  loggingSteps: 1000,
});
const { source, prompts, architecture } = sidInputs(dataset, sids, vocabulary, sft);
/** Token ids of each item. */
export const itemTokens = prompts.itemTokens;

export const SMALL: Partial<RlConfig> = {
  reward: ["rule", "ranking"],
  numGenerations: 6,
  promptsPerStep: 4,
  tokensPerBatch: 128,
  maxSteps: 6,
  numTrainEpochs: 9,
  learningRate: 2e-3,
  lrSchedulerType: "constant",
  warmupRatio: 0,
  loggingSteps: 2,
  evalSteps: 3,
  evalSamples: 16,
  evalBeams: 10,
};

let device: Promise<Device> | undefined;

/** One device for all runs of a file. */
export function tinyDevice(): Promise<Device> {
  return device ??= Device.open();
}

let parent: Promise<string> | undefined;

/** Folder of the fine-tuned model, made once. */
export function tinyParent(): Promise<string> {
  return parent ??= (async () => {
    const device = await tinyDevice();
    const folder = await Deno.makeTempDir();
    addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    const run = new RunDirectory(folder);
    await run.create(false);
    await trainSft({
      device,
      data: new PackedData(source, sft, sft.seed),
      makeDecoder: () => scratchDecoder(device, architecture, sft.seed),
      validation: undefined,
      config: sft,
      run,
      resume: false,
      signal: new AbortController().signal,
    });
    return await run.checkpoint("latest");
  })();
}

/** Runs `use` with a new folder for runs. */
export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Rewards by name. */
export function rewardsOf(list: readonly string[]): Promise<RewardSet> {
  const context = {
    dataset,
    itemTokens,
    device: tinyDevice,
    warn: () => {},
  };
  return createRewards(parseRewards(list), context);
}

/** Trains in `out` from the fine-tuned model; the run's files and how it ended. */
export async function train(
  out: string,
  settings: Partial<RlConfig> = {},
  more: Partial<RlRunInput> = {},
) {
  const config = rlConfig({ ...SMALL, ...settings });
  const run = new RunDirectory(out, config);
  if (!more.resume) {
    await run.create(false);
    await run.write("config.json", "{}");
  }
  const device = more.device ?? await tinyDevice();
  const result = await trainRl({ ...await inputOn(device, config), run, resume: false, ...more });
  return { run, result };
}

/** What is trained on a device, but for where it is kept. */
export async function inputOn(device: Device, config: RlConfig) {
  return {
    device,
    ...decoderPolicy(device, await tinyParent(), config),
    examples: (await rlExamples({ data: "", dataset, prompts, maxHistory: sft.maxHistory }, config)).examples,
    rewards: await rewardsOf(config.reward),
    trie: new DeviceTrie(device, buildTrie(itemTokens)),
    itemTokens,
    train: dataset.samples.train,
    validation: new Validation(validationOptions(device, config)),
    normalisation: "vocab" as const,
    config,
    companions: [],
    signal: new AbortController().signal,
  };
}

/** What runs are validated with. */
export function validationOptions(device: Device, config: RlConfig) {
  return {
    device,
    dataset: dataset.name,
    valid: dataset.samples.valid,
    prompts,
    samples: config.evalSamples,
    beams: config.evalBeams,
    normalisation: "vocab" as const,
    tokensPerBatch: config.tokensPerBatch,
    seed: config.seed,
  };
}

/** Lines of the log, without what a clock says. */
export async function logOf(run: RunDirectory) {
  return (await run.read("metrics.jsonl")).trim().split("\n").map((line) => {
    const { seconds: _, ...entry } = JSON.parse(line);
    return entry;
  });
}

/** A file of a checkpoint. */
export async function bytesOf(run: RunDirectory, file: string, which = "latest"): Promise<Uint8Array> {
  return await Deno.readFile(`${await run.checkpoint(which)}/${file}`);
}

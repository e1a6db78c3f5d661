import { ALONE } from "../../base/parallel/world.ts";
import type { Dataset } from "../../data/dataset.ts";
import { SidVocabulary } from "../../sid/tokens.ts";
import { type Preset, sidPresetFor } from "../../train/pipeline/preset.ts";
import { PackedData } from "../../train/run/packed_data.ts";
import { estimateTraining } from "../../train/run/estimate.ts";
import { trainingPlan } from "../../train/sft/cost.ts";
import { type SftConfig, trainedNormalisation } from "../../train/sft/config.ts";
import { type ModelInputs, sidInputs } from "../../train/sft/sid_inputs.ts";
import { SidRecommender } from "../../eval/sid_recommender.ts";
import { pipelinesBeyond } from "../../kernels/gpu/bindings.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { type Counted, rehearsed } from "../../kernels/gpu/rehearsal.ts";
import { Decoder, type DecoderLoadOptions } from "../../models/decoder/decoder.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import { buildTrie } from "../../sid/trie.ts";
import { askLongest } from "../../rank/lists/lists.ts";
import { rlConfig } from "../../train/rl/config.ts";
import { rlExamples } from "../../train/rl/examples/examples.ts";
import { madeDecoderPolicy } from "../../train/rl/policy/policies.ts";
import { rehearseRl } from "../../train/rl/rehearsal.ts";
import { BASELINES } from "../../train/baselines/by_name.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import { itemTerms } from "../../rank/features/sources.ts";
import { RankSchema } from "../../train/rank/config.ts";
import { listSizes } from "../../train/rank/lists.ts";
import { rehearseRanking } from "../../train/rank/rehearsal.ts";
import { Validation, validationSettings } from "../../train/run/validation.ts";
import { kernelBytes } from "../_cli/memory.ts";
import { foldFolders } from "./pipeline.ts";

/** Tokens of a SID, where none are there yet. */
const LEVELS = 3;
/** Multiplications and additions of a weight in a forward and backward pass, and in a forward pass. */
const TRAINING_FLOPS = 6, SEARCH_FLOPS = 2;

/**
 * Of the memory of a CPU adapter wgpu asks for 64 MiB, then for larger blocks, of which it fills the last one first: what the
 * first stages left in the first block lies idle (64 MiB of it resident beside 98 of the next, where 81 were counted).
 */
const FIRST_BLOCK = 64 * 2 ** 20;

/** What a pipeline takes. */
export interface PipelineCost {
  /** Floating point operations of all stages, about. */
  flops: number;
  /** Bytes at the peak, about. */
  bytes: number;
  /** Bytes on the adapter of the stage that the ranker teaches, where it does. */
  taught?: number;
}

/** What training the decoder and a model over items, in each fold and on all, searches with `beams`, what the ranker teaches and the evaluation take, about. */
export async function pipelineCost(
  device: Device,
  dataset: Dataset,
  { preset, makesSids, items: method, settings, beams, teach, reading }: {
    preset: Preset;
    /** Whether SIDs are made, whatever the dataset has. */
    makesSids: boolean;
    /** Name of the model over items. */
    items: string;
    settings: SftConfig;
    beams: number;
    teach: boolean;
    /** Bytes of the process that reading the dataset took. */
    reading: number;
  },
): Promise<PipelineCost> {
  const { items, samples } = dataset;
  const { codebookSize } = sidPresetFor(items.length);
  const made = makesSids || dataset.sids === undefined;
  const sids = made ? items.map((_, item) => codesOf(item, codebookSize)) : dataset.sids!;
  const inputs = sidInputs(dataset, sids, SidVocabulary.fromSids(sids), settings);
  const data = new PackedData(inputs.source, settings, settings.seed);
  const plan = trainingPlan(inputs, data, settings, ALONE, {
    validation: (device) =>
      new Validation({
        device,
        dataset: dataset.name,
        valid: samples.valid,
        prompts: inputs.prompts,
        normalisation: trainedNormalisation(settings),
        ...validationSettings(settings),
      }),
  });
  const estimate = await estimateTraining(device, plan);
  const width = settings.hiddenSize;
  const itemWeights = 24 * width ** 2 + items.length * width;
  const itemFlops = TRAINING_FLOPS * itemWeights * data.epoch.tokens / LEVELS *
    (preset.items.numTrainEpochs ?? 1);
  const { promptsPerStep = 0, maxSteps = 0 } = preset.taught;
  const lessons = teach ? promptsPerStep * maxSteps + samples.test.length : 0;
  const choosing = Math.min(samples.valid.length, preset.ranker.evalSamples ?? Infinity);
  const asked = preset.folds * preset.holdoutRows + choosing + samples.test.length + lessons;
  const { evalSteps, evalSamples, evalBeams, numTrainEpochs } = settings;
  const validations = evalSteps === 0
    ? numTrainEpochs
    : Math.floor(evalSteps < 1 ? 1 / evalSteps : plan.steps / evalSteps);
  // The valid split of a fold is what it leaves out.
  const validated = [samples.valid.length, ...foldFolders(preset).map(({ rows }) => rows)]
    .reduce((sum, valid) => sum + validations * Math.min(evalSamples, valid), 0);
  const searches = beams * asked + evalBeams * validated;
  const searchFlops = SEARCH_FLOPS * estimate.parameters.total * LEVELS * searches;
  // Once on all purchases, and in each fold on the earlier ones alone.
  const left = preset.holdoutRows / Math.max(1, samples.train.length);
  const trainings = 1 + preset.folds - left * preset.folds * (preset.folds + 1) / 2;
  const flops = trainings * (estimate.flops.run + itemFlops) + searchFlops;
  const decoder: RankedDecoder = {
    sids,
    prompts: inputs.prompts,
    architecture: inputs.architecture,
    settings,
  };
  const ranker = await rankerCost(device, dataset, { preset, beams, decoder });
  const model = await itemsCost(device, dataset, method, preset);
  const taught = teach ? await taughtCost(device, dataset, { preset, beams, decoder }) : undefined;
  const stages = [model, ranker, ...taught ? [taught] : []];
  const kernels = pipelinesBeyond(
    device.compiled,
    estimate.compiled,
    ...stages.map(({ compiled }) => compiled),
  );
  // Matrices of one stage are free for the next; kernels and lists come beside them. Every stage reads the dataset again,
  // while it stays here.
  const bytes = Math.max(estimate.memory.total, ...stages.map(({ bytes }) => bytes));
  const saving = Math.max(estimate.saving, model.inProcess, taught?.inProcess ?? 0);
  const process = Deno.memoryUsage().rss + reading + saving + ranker.inProcess;
  const host = device.isCpu ? process + kernelBytes(kernels) + Math.min(FIRST_BLOCK, bytes) : 0;
  return {
    flops,
    bytes: bytes + host,
    taught: taught?.bytes,
  };
}

/** What training the model over items holds on the device. */
function itemsCost(device: Device, dataset: Dataset, name: string, { items }: Preset): Promise<Counted> {
  const method = BASELINES.find((method) => method.name === name)!;
  const { signal } = new AbortController();
  return rehearsed(device, (device, stop) => {
    const run = new RunDirectory("", { onWrite: stop });
    return method.train(
      { device, dataset, run, resume: false, signal, rehearsed: stop },
      method.Config.parse(items),
    );
  });
}

/** Two runs as the ranker of a pipeline sees them: a decoder and a model over items. */
const RANKED = [{ scoreUnit: "log-probability" }, { scoreUnit: "logit", async *scoreItems() {} }] as const;

/** The decoder that a ranker asks, which is not there yet. */
interface RankedDecoder extends Pick<ModelInputs, "prompts" | "architecture"> {
  sids: readonly (readonly string[])[];
  settings: SftConfig;
}

/** What the ranker's lists, its training and its evaluation take, about. Of the runs that it asks the decoder is counted. */
async function rankerCost(
  device: Device,
  dataset: Dataset,
  { preset, beams, decoder }: { preset: Preset; beams: number; decoder: RankedDecoder },
): Promise<Counted> {
  const settings = RankSchema.parse({ listLength: beams, ...preset.ranker });
  const { evalSamples } = settings, { valid } = dataset.samples;
  const choosing = evalSamples > 0 ? valid.slice(0, evalSamples) : valid;
  const learned = dataset.samples.train.slice(-preset.folds * preset.holdoutRows);
  const whole = { split: dataset, samples: choosing }, fold = { split: dataset, samples: learned };
  const sizes = listSizes(whole, [fold], itemTerms(dataset.items), RANKED, settings);
  const open = (device: Device) => Promise.resolve([searching(decoder, dataset, device)]);
  const parts = [choosing, learned, dataset.samples.test].map((samples) => ({ open, samples }));
  return await rehearsed(
    device,
    (device, stop) => rehearseRanking(device, parts, sizes, settings, stop),
  );
}

/**
 * What the stage that is taught by the ranker holds: all that `genrec rl` counts, and beside it the decoder that the ranker
 * asks, with its search for the prompts of a step.
 */
async function taughtCost(
  device: Device,
  dataset: Dataset,
  { preset, beams, decoder }: { preset: Preset; beams: number; decoder: RankedDecoder },
): Promise<Counted> {
  const { prompts, architecture, settings } = decoder;
  const { itemTokens } = prompts, { train, valid, test } = dataset.samples;
  const config = rlConfig(preset.taught), normalisation = trainedNormalisation(settings);
  const { examples } = await rlExamples({
    data: dataset.name,
    dataset,
    prompts,
    maxHistory: settings.maxHistory,
  }, config);
  const longestFirst = test.toSorted((a, b) => b.history.length - a.history.length);
  return await rehearsed(device, async (device, stop) => {
    const asked = [searching(decoder, dataset, device)];
    await askLongest(asked, longestFirst.slice(0, config.promptsPerStep), { k: beams });
    const make = (options: DecoderLoadOptions) => Promise.resolve(new Decoder(device, architecture, options));
    const saving = await rehearseRl({
      device,
      examples,
      rewards: { names: config.reward, teaches: true, score: () => Promise.reject() },
      trie: new DeviceTrie(device, buildTrie(itemTokens)),
      itemTokens,
      train,
      validation: new Validation({
        device,
        dataset: dataset.name,
        valid,
        prompts,
        normalisation,
        ...validationSettings(config),
      }),
      normalisation,
      config,
      run: new RunDirectory(""),
      resume: false,
      companions: [],
      signal: new AbortController().signal,
      ...madeDecoderPolicy(make, "", config),
    });
    stop(saving);
  });
}

/** A decoder without its weights. */
function searching(
  { sids, prompts, architecture, settings }: RankedDecoder,
  dataset: Dataset,
  device: Device,
): SidRecommender {
  return new SidRecommender({
    dataset,
    sids,
    prompts,
    maxHistory: settings.maxHistory,
    normalisation: trainedNormalisation(settings),
    asked: { task: "next-item" },
    settings: {},
    provenance: { kind: "", model: "", run: "", checkpoint: "", data: dataset.name, index: "" },
    load: (device) => Promise.resolve(new Decoder(device, architecture, { trainable: () => false })),
  }, { device });
}

/** A SID for an item, as its number in digits: what it costs depends on its length alone. */
function codesOf(item: number, codebookSize: number): string[] {
  return Array.from({ length: LEVELS }, (_, level) => {
    const code = Math.floor(item / codebookSize ** level) % codebookSize;
    return `<${"abc"[level]}_${code}>`;
  });
}

// What both sides are asked: one model directory, prompts, SIDs and batches, as files in a folder.
import { join } from "node:path";
import { shuffledOrder } from "../../base/shuffle.ts";
import { diskFiles } from "../../base/files/disk.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { joinPieces } from "../../base/files/pieces.ts";
import type { SequenceSource } from "../../data/packing/sequence_source.ts";
import { loadDataset } from "../../data/formats/load.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { blockSpecs } from "../../models/decoder/blocks.ts";
import type { Decoder } from "../../models/decoder/decoder.ts";
import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import { peftAdapterFiles } from "../../models/hugging_face/peft_adapter.ts";
import { pretrainedFiles } from "../../models/hugging_face/save_pretrained.ts";
import type { SavedFile } from "../../models/hugging_face/saved_file.ts";
import { Lora } from "../../models/parameters/lora.ts";
import { partsOf } from "../../models/parameters/parts.ts";
import { loadInputs } from "../../train/run/inputs.ts";
import { PackedData } from "../../train/run/packed_data.ts";
import { type SftConfig, sftConfig } from "../../train/sft/config.ts";
import { sftDecoder } from "../../train/sft/decoder.ts";
import { textInputs } from "../../train/sft/text_inputs.ts";

/** What is trained of a model. */
export const MODES = ["full", "lora", "frozen"] as const;
export type Mode = typeof MODES[number];

/** How much is asked. */
export interface CaseSizes {
  /** Blocks of the model that are kept, the first ones; 0: all. */
  layers: number;
  /** Whether its vocabulary is trimmed to the rows. */
  trim: boolean;
  /** Prompts whose logits are compared. */
  prompts: number;
  /** Those of them that are answered: greedily, and by beams in the tree of all SIDs. */
  answers: number;
  beams: number;
  /** Tokens of a greedy answer. */
  newTokens: number;
  steps: number;
  tokensPerBatch: number;
}

/** `cases.json`. */
export interface Cases {
  sizes: CaseSizes;
  /** Tokens that {@link texts} are cut to. */
  textTokens: number;
  prompts: number[][];
  /** Texts of some items, for vectors. */
  texts: string[];
  /** Tokens of each item's SID. */
  sids: number[][];
  /** Rows of the embedding before those of SIDs. */
  frozenRows: number;
  sequences: { tokens: number[]; targets: { at: number; token: number; weight: number }[] }[];
  /** Sequences of each step. */
  steps: number[][];
  training: Training;
  lora: { r: number; alpha: number; targetModules: "all" };
}

/** Settings of the optimizer, as PyTorch is told them. */
type Training = Pick<SftConfig, typeof TOLD[number]>;

const TOLD = [
  "learningRate",
  "warmupSteps",
  "weightDecay",
  "adamBeta1",
  "adamBeta2",
  "adamEpsilon",
  "maxGradNorm",
  "minLearningRateRatio",
] as const;

const LORA = { r: 8, alpha: 16, targetModules: "all" } as const;
const SEED = 42;
const TEXTS = 8;
const TEXT_TOKENS = 32;

/** At 5e-4 losses of a whole model rise to 12 within three steps, and what is rounded differently grows with them. */
const LEARNING_RATE = 1e-4;

/** Settings of training in `mode` on a model that knows its SIDs. */
export function trainingSettings(
  { sizes, lora, training }: Pick<Cases, "sizes" | "lora"> & Partial<Pick<Cases, "training">>,
  mode: Mode,
): SftConfig {
  return sftConfig({
    mode: "tasks",
    tokensPerBatch: sizes.tokensPerBatch,
    maxLength: sizes.tokensPerBatch,
    maxSteps: sizes.steps,
    numTrainEpochs: 1,
    learningRate: training?.learningRate ?? LEARNING_RATE,
    warmupSteps: Math.ceil(sizes.steps / 5),
    lrSchedulerType: "cosine",
    weightDecay: 0.01,
    maxGradNorm: 1,
    labelSmoothing: 0,
    dropout: 0,
    loraDropout: 0,
    emaDecay: 0,
    evalSamples: 0,
    loggingSteps: 1,
    seed: SEED,
    freeze: mode === "frozen" ? "llm" : "none",
    ...mode === "lora" ? { loraR: lora.r, loraAlpha: lora.alpha, loraTargetModules: ["all"] } : {},
  });
}

/**
 * Writes `start/`, the model with rows for SIDs as both sides load it, `adapter/`, where adapters start, and
 * `cases.json`.
 */
export async function writeCases(
  device: Device,
  folder: string,
  from: { model: string; data: string },
  sizes: CaseSizes,
): Promise<Cases> {
  const { dataset, sids } = await loadInputs(from.data, "", await loadDataset(from.data));
  const settings = sftConfig({
    ...trainingSettings({ sizes, lora: LORA }, "full"),
    model: from.model,
    trimVocabulary: sizes.trim,
    tasks: ["next-item", "sid-to-title", "title-to-sid"],
  });
  const inputs = await textInputs(dataset, sids, { ...settings, data: from.data }, diskFiles);
  const layers = sizes.layers || inputs.architecture.num_hidden_layers;
  const architecture = { ...inputs.architecture, num_hidden_layers: layers };
  const decoder = await sftDecoder(device, { ...inputs, architecture }, settings);
  await writeModel(join(folder, "start"), decoder, inputs.companions);
  decoder.destroy();

  const lora = new Lora(blockSpecs(architecture), {
    r: LORA.r,
    alpha: LORA.alpha,
    dropout: 0,
    targetModules: "all",
    rankStabilised: false,
  });
  const factors = Array.from(lora.initial(SEED), ([name, { data }]) => ({ name, data }));
  await writeFiles(
    join(folder, "adapter"),
    peftAdapterFiles(lora, factors, { baseModel: join(folder, "start") }),
  );

  const { source, prompts, frozenRows } = inputs;
  // More than the steps can take: what is trained has 16 tokens and more.
  const order = source.order(0, SEED).subarray(0, sizes.steps * Math.ceil(sizes.tokensPerBatch / 16));
  const sequences = Array.from(order, (i) => {
    const { tokens, targets } = source.make(i);
    return { tokens: [...tokens], targets };
  });
  const { test } = dataset.samples;
  const asked = [...shuffledOrder(test.length, SEED, 0).subarray(0, sizes.prompts)].map((i) => test[i]);
  const cases: Cases = {
    sizes,
    prompts: asked.map((sample) => [...prompts.prompt(sample.history, sample)]),
    textTokens: TEXT_TOKENS,
    texts: dataset.items.slice(0, TEXTS).map(({ title }) => title ?? "unknown item"),
    sids: prompts.itemTokens.map((tokens) => [...tokens]),
    frozenRows,
    sequences,
    steps: stepsOf(sequences, settings, sizes.steps),
    training: Object.fromEntries(TOLD.map((key) => [key, settings[key]])) as Training,
    lora: LORA,
  };
  await Deno.writeTextFile(join(folder, "cases.json"), JSON.stringify(cases));
  // Answers to other cases.
  if (await isFile(join(folder, "golden.json"))) await Deno.remove(join(folder, "golden.json"));
  return cases;
}

/** Sequences of each step, as a training packs them. */
function stepsOf(sequences: Cases["sequences"], settings: SftConfig, count: number): number[][] {
  const data = new PackedData(caseSource(sequences), settings, SEED);
  return Array.from(
    { length: count },
    (_, step) => data.microBatches(0, step).flatMap(({ members }) => [...members]),
  );
}

/** Writes a decoder as a directory of Hugging Face. */
async function writeModel(
  folder: string,
  { config, parameters }: Decoder,
  companions: readonly ModelFile[],
): Promise<void> {
  const shapes = parameters.specs.flatMap(partsOf);
  await writeFiles(folder, pretrainedFiles(config, shapes, parameters.readPieces(), { companions }));
}

/** Writes files, each before the next is asked for. */
export async function writeFiles(
  folder: string,
  files: AsyncIterable<SavedFile> | Iterable<SavedFile>,
): Promise<void> {
  for await (const { name, bytes } of files) {
    const path = join(folder, name);
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeFile(path, bytes instanceof Uint8Array ? bytes : await joinPieces(bytes));
  }
}

/** The sequences of {@link Cases} as a training reads them. */
export function caseSource(sequences: Cases["sequences"]): SequenceSource {
  return {
    count: sequences.length,
    tasks: ["rows"],
    taskOf: () => 0,
    make: (i) => ({ ...sequences[i], tokens: Uint32Array.from(sequences[i].tokens) }),
    order: () => Uint32Array.from(sequences.keys()),
  };
}

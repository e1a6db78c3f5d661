import type { Dataset } from "../../data/dataset.ts";
import { mostHeldOut } from "../../data/holdout.ts";
import type { ItemTrainingConfig } from "../baselines/item_config.ts";
import type { RankConfig } from "../rank/config.ts";
import type { RlConfig } from "../rl/config.ts";
import type { SftConfig } from "../sft/config.ts";

/** What a preset is chosen by. */
export interface DataSize {
  /** Targets of the train split. */
  targets: number;
  /** Users with a history in it. */
  users: number;
  /** Targets of the train split that may be held out. */
  holdable: number;
}

/** Settings of a whole pipeline that depend on the size of the data; all else is as the tasks have it. */
export interface Preset {
  /** Train targets of a fold: the last ones that the models before it are not shown, from which the ranker learns. */
  holdoutRows: number;
  /** How often the models are trained on less, each time without as many targets more. */
  folds: number;
  /** Of the decoder. */
  decoder: Partial<SftConfig>;
  /** Of the model over item numbers, whose lists the ranker has too. */
  items: Partial<ItemTrainingConfig>;
  /** Of the ranker. */
  ranker: Partial<RankConfig>;
  /** Of what the ranker teaches the decoder. */
  taught: Partial<RlConfig>;
}

/** How SIDs are made. */
export interface SidPreset {
  /** Codewords of a level. */
  codebookSize: number;
  /** Numbers of a vector of an item, of its text or of what it was bought with. */
  dim: number;
  /** Characters of an item's text that its vector is made of. */
  maxCharacters: number;
}

/** Size of a dataset. */
export function dataSizeOf(
  dataset: Pick<Dataset, "samples" | "histories">,
): DataSize {
  const { samples, histories } = dataset;
  return {
    targets: samples.train.length,
    users: histories.length,
    holdable: mostHeldOut(dataset),
  };
}

/** Train targets of the data on which the decoder's settings were chosen (configs/industrial-small.yaml). */
const TUNED_ON = 36_000;

/** Lists that a ranker of one fold learns from, and that choose its epoch, the most: all of them lie in memory. */
const MOST_LESSONS = 36_000, MOST_CHOOSING = 25_000;

/** Steps below which a decoder knows nothing yet, and tokens of an item, about. */
const LEAST_STEPS = 500, SID_TOKENS = 4;

/** How a ranker teaches a decoder; configs/taught-rl.yaml has the same. */
export const TAUGHT = {
  reward: ["collaborative"],
  targets: "none",
  sftLossWeight: 1,
  beta: 0,
  rollout: "beam",
  numGenerations: 4,
  promptsPerStep: 64,
  numTrainEpochs: 10,
  maxSteps: 220,
  learningRate: 1e-3,
  emaDecay: 0.98,
  evalSteps: 55,
  evalSamples: 5000,
  patience: 0,
  loggingSteps: 20,
} as const;

/**
 * The preset for data of a size. Fewer targets are gone through more often, in smaller steps: in as many passes a model
 * would have made too few steps to know anything; a few thousand are soon learned by heart, the later the narrower the
 * decoder. More of them are seen less often, and need less noise (docs/experiments.md).
 */
export function presetFor({ targets, users, holdable }: DataSize): Preset {
  const scale = targets / TUNED_ON;
  const isLittle = scale < 0.4;
  const hiddenSize = scale > 16 ? 256 : isLittle ? 64 : 128;
  const epochs = (usual: number, most: number) =>
    clamp(Math.round(usual / Math.sqrt(scale)), usual / 2, most);
  const tokensPerBatch = powerOfTwo(2048 * Math.sqrt(scale), 256, 4096);
  const holdoutRows = Math.min(Math.floor(targets / 8), holdable, MOST_LESSONS);
  return {
    holdoutRows,
    // Twice the rows are worth a third more time until one fold has tens of thousands (docs/rank.md).
    folds: scale > 8 || 2 * holdoutRows > holdable ? 1 : 2,
    decoder: {
      hiddenSize,
      intermediateSize: 2 * hiddenSize,
      tieWordEmbeddings: false,
      modelType: "qwen2",
      numTrainEpochs: Math.max(
        epochs(20, 30),
        Math.ceil(LEAST_STEPS * tokensPerBatch / (SID_TOKENS * targets)),
      ),
      tokensPerBatch,
      learningRate: 4e-3,
      warmupSteps: 65,
      weightDecay: 0.1,
      adamBeta2: 0.98,
      initializerRange: 0.02,
      dropout: scale > 2 ? 0.1 : isLittle ? 0.2 : 0.3,
      emaDecay: 0.998,
      evalSteps: 0.1,
      evalSamples: 1500,
      evalBeams: 20,
    },
    items: {
      numTrainEpochs: epochs(8, 24),
      tokensPerBatch: powerOfTwo(256 * Math.sqrt(scale), 128, 1024),
    },
    ranker: { evalSamples: MOST_CHOOSING },
    taught: taughtFor(users),
  };
}

/** Items whose vectors are narrower, so that their SIDs do not take longer than a model. */
const MANY_ITEMS = 50_000;
/** Characters of all texts together, whose terms lie in memory. */
const TEXT_CHARACTERS = 64e6;

/** How SIDs of so many items are made: a first codeword that many of them share says little of each (docs/experiments.md). */
export function sidPresetFor(items: number): SidPreset {
  return {
    codebookSize: Math.min(powerOfTwo(4 * Math.sqrt(items), 2, 256), powerOfTwo(items / 2, 2, 256)),
    dim: items > MANY_ITEMS ? 64 : 128,
    maxCharacters: Math.ceil(clamp(TEXT_CHARACTERS / items, 200, 4000)),
  };
}

/** Each user is asked twice, of few more often. */
function taughtFor(users: number): Preset["taught"] {
  const { promptsPerStep, maxSteps: least } = TAUGHT;
  const maxSteps = clamp(Math.ceil(2 * users / promptsPerStep), least / 2, 10 * least);
  return {
    ...TAUGHT,
    reward: [...TAUGHT.reward],
    numTrainEpochs: Math.ceil(maxSteps * promptsPerStep / Math.max(1, users)),
    maxSteps,
    evalSteps: 0.25,
  };
}

/** A preset with one epoch of everything, and validation after it. */
export function quickly(preset: Preset): Preset {
  const { decoder, items, ranker, taught } = preset;
  return {
    ...preset,
    folds: 1,
    decoder: { ...decoder, numTrainEpochs: 1, evalSteps: 0, evalBeams: 10 },
    items: { ...items, numTrainEpochs: 1 },
    ranker: { ...ranker, numTrainEpochs: 1, numRankers: 1 },
    taught: { ...taught, maxSteps: 4 },
  };
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}

/** The power of two nearest to a value, by its logarithm. */
function powerOfTwo(value: number, least: number, most: number): number {
  return clamp(2 ** Math.round(Math.log2(value)), least, most);
}

import { ALONE } from "../../base/parallel/world.ts";
import type { Dataset } from "../../data/dataset.ts";
import { SidVocabulary } from "../../sid/tokens.ts";
import type { Preset } from "../../train/pipeline/preset.ts";
import { PackedData } from "../../train/run/packed_data.ts";
import { estimateTraining } from "../../train/run/estimate.ts";
import { trainingPlan } from "../../train/sft/cost.ts";
import type { SftConfig } from "../../train/sft/config.ts";
import { sidInputs } from "../../train/sft/sid_inputs.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { productRate, TRAINING_SHARE } from "../_train/sft_cost.ts";

/** Tokens of a SID, where none are there yet. */
const LEVELS = 3;
/** Multiplications and additions of a weight in a forward and backward pass, and in a forward pass. */
const TRAINING_FLOPS = 6, SEARCH_FLOPS = 2;

/** What a pipeline takes. */
export interface PipelineCost {
  /** Of all stages on this adapter, about. */
  seconds: number;
  /** Bytes at the peak, about. */
  bytes: number;
}

/** What training the decoder and a model over items, in each fold and on all, searches with `beams`, what the ranker teaches and the evaluation take, about. */
export async function pipelineCost(
  device: Device,
  dataset: Dataset,
  { preset, settings, beams, teach }: { preset: Preset; settings: SftConfig; beams: number; teach: boolean },
): Promise<PipelineCost> {
  const { items, samples } = dataset;
  const sids = dataset.sids ?? items.map((_, item) => codesOf(item, preset.codebookSize));
  const inputs = sidInputs(dataset, sids, SidVocabulary.fromSids(sids), settings);
  const data = new PackedData(inputs.source, settings, settings.seed);
  const estimate = await estimateTraining(device, trainingPlan(inputs, data, settings, ALONE));
  const width = settings.hiddenSize;
  const itemWeights = 24 * width ** 2 + items.length * width;
  const itemFlops = TRAINING_FLOPS * itemWeights * data.epoch.tokens / LEVELS *
    (preset.items.numTrainEpochs ?? 1);
  const { promptsPerStep = 0, maxSteps = 0 } = preset.taught;
  const lessons = teach ? promptsPerStep * maxSteps + samples.test.length : 0;
  const asked = preset.folds * preset.holdoutRows + samples.valid.length + samples.test.length + lessons;
  const searchFlops = SEARCH_FLOPS * estimate.parameters.total * LEVELS * beams * asked;
  // Once on all purchases, and in each fold on the earlier ones alone.
  const left = preset.holdoutRows / Math.max(1, samples.train.length);
  const trainings = 1 + preset.folds - left * preset.folds * (preset.folds + 1) / 2;
  const flops = trainings * (estimate.flops.run + itemFlops) + searchFlops;
  const host = device.isCpu ? Deno.memoryUsage().rss + estimate.saving : 0;
  return {
    seconds: flops / (TRAINING_SHARE * await productRate(device)),
    bytes: estimate.memory.total + host,
  };
}

/** A SID for an item, as its number in digits: what it costs depends on its length alone. */
function codesOf(item: number, codebookSize: number): string[] {
  return Array.from({ length: LEVELS }, (_, level) => {
    const code = Math.floor(item / codebookSize ** level) % codebookSize;
    return `<${"abc"[level]}_${code}>`;
  });
}

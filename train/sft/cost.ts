import type { World } from "../../base/parallel/world.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { Decoder } from "../../models/decoder/decoder.ts";
import type { Trie } from "../../sid/trie.ts";
import type { TrainingPlan } from "../run/estimate.ts";
import type { MemorySettings } from "../run/memory_check.ts";
import type { PackedData } from "../run/packed_data.ts";
import type { Validation } from "../run/validation.ts";
import { optimizerOptions } from "../run/optimizer_options.ts";
import type { SftConfig } from "./config.ts";
import { type DecoderInputs, decoderOptions } from "./decoder.ts";
import { sftMicroBatch } from "./rehearsal.ts";
import { savesOf, StepPlan } from "../run/step_plan.ts";

/** What of a run its settings do not make. */
export interface PlanParts {
  /** The SIDs, where the loss knows them. */
  trie?: Trie;
  /** What measures the model, on a device; absent: nothing does. */
  validation?(device: Device): Validation;
}

/** The run of these settings by the ranks of a world, for `estimateTraining()`. */
export function trainingPlan(
  inputs: DecoderInputs,
  data: PackedData,
  config: SftConfig,
  world: World,
  { trie, validation }: PlanParts = {},
): TrainingPlan {
  const { capacity, epoch } = data;
  const steps = new StepPlan(data, config);
  return {
    dtype: config.dtype,
    decoder: (device) => new Decoder(device, inputs.architecture, decoderOptions(inputs, config)),
    capacity,
    optimizer: optimizerOptions(config),
    ...(config.zeroStage > 0 && { shards: world }),
    microBatch: sftMicroBatch(config, data.source.tasks, capacity, trie),
    ...(validation && {
      async validate(device, decoder) {
        const own = validation(device);
        await own.run(decoder, new AbortController().signal);
        own.destroy();
      },
    }),
    epoch: { ...epoch, steps: data.steps(0) },
    steps: steps.total,
    saves: savesOf(steps),
  };
}

/** What of the settings decides about memory. */
export function memorySettings(config: SftConfig): MemorySettings {
  const { tokensPerBatch, gradientCheckpointing, dtype, emaDecay, trimVocabulary, optim, zeroStage } = config;
  const { loraR, freeze } = config;
  const tuning = loraR > 0 ? "lora" : freeze === "llm" ? "freeze" : "full";
  return { tokensPerBatch, gradientCheckpointing, dtype, emaDecay, trimVocabulary, tuning, optim, zeroStage };
}

/** Settings with those of {@link memorySettings} changed. */
export function withMemorySettings(
  config: SftConfig,
  { tuning, ...settings }: MemorySettings,
): SftConfig {
  const loraR = tuning === "lora" ? config.loraR || 16 : 0;
  return { ...config, ...settings, loraR, freeze: tuning === "freeze" ? "llm" : "none" };
}

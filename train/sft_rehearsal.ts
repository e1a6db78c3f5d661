import { type Capacity, packBatch } from "../data/batches.ts";
import { LossScaling } from "../models/loss_scaling.ts";
import type { TrainingPlan } from "./estimate.ts";
import { LossLog } from "./loss_log.ts";
import type { SftConfig } from "./sft_config.ts";
import { SftStep } from "./sft_step.ts";

/** The trainer's own micro batch, for `estimateTraining()`. */
export function sftMicroBatch(
  config: SftConfig,
  tasks: readonly string[],
  capacity: Capacity,
): TrainingPlan["microBatch"] {
  return (device, decoder, optimizer) => {
    new LossLog(device, tasks, config.loggingSteps, capacity.rows); // for its arrays
    const scaling = device.dtype === "f16" ? new LossScaling(device) : undefined;
    const step = new SftStep({ device, decoder, optimizer, scaling, capacity, trie: undefined }, config);
    return () => step.record(packBatch([], capacity), 1);
  };
}

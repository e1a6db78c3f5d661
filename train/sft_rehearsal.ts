import { type Capacity, packBatch } from "../data/batches.ts";
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
    const lossLog = new LossLog(device, tasks, config.loggingSteps, capacity.rows);
    const step = new SftStep({ device, decoder, optimizer, lossLog, capacity }, config);
    return () => step.record(packBatch([], capacity), 1);
  };
}

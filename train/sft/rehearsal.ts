import { type Capacity, packBatch } from "../../data/packing/batches.ts";
import { DeviceTrie } from "../../decode/device_trie.ts";
import { LossScaling } from "../../models/optimizer/loss_scaling.ts";
import type { Trie } from "../../sid/trie.ts";
import type { TrainingPlan } from "../run/estimate.ts";
import { LossLog } from "../run/loss_log.ts";
import type { SftConfig } from "./config.ts";
import { SftStep } from "./step.ts";

/** The trainer's own micro batch, for `estimateTraining()`; `trie` is that of the SIDs, where the loss knows it. */
export function sftMicroBatch(
  config: SftConfig,
  tasks: readonly string[],
  capacity: Capacity,
  trie?: Trie,
): TrainingPlan["microBatch"] {
  return (device, decoder, optimizer) => {
    const microBatches = config.batchSize > 0 ? 1 : config.gradientAccumulationSteps;
    new LossLog(device, tasks, { steps: config.loggingSteps, rows: capacity.rows, microBatches }); // for its arrays
    const scaling = LossScaling.of(device);
    const parts = {
      device,
      decoder,
      optimizer,
      scaling,
      capacity,
      microBatches,
      trie: trie && new DeviceTrie(device, trie),
    };
    const step = new SftStep(parts, config);
    return () => step.record(packBatch([], capacity), 1);
  };
}

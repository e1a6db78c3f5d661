import type { OptimizerOptions } from "../models/optimizer.ts";
import type { SftConfig } from "./sft_config.ts";

/** Settings of the optimizer under its own names. */
export function optimizerOptions(
  config: Pick<
    SftConfig,
    "adamBeta1" | "adamBeta2" | "adamEpsilon" | "weightDecay" | "maxGradNorm" | "emaDecay"
  >,
): OptimizerOptions {
  return {
    beta1: config.adamBeta1,
    beta2: config.adamBeta2,
    eps: config.adamEpsilon,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
    emaDecay: config.emaDecay,
  };
}

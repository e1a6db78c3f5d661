import type { OptimizerOptions } from "../../models/optimizer/optimizer.ts";
import type { SftConfig } from "../sft/config.ts";

/** Settings of the optimizer under its own names; without `adamEpsilon`, that of PyTorch. */
export function optimizerOptions(
  config:
    & Pick<
      SftConfig,
      "adamBeta1" | "adamBeta2" | "weightDecay" | "maxGradNorm" | "emaDecay"
    >
    & Partial<Pick<SftConfig, "adamEpsilon">>,
): OptimizerOptions {
  return {
    beta1: config.adamBeta1,
    beta2: config.adamBeta2,
    eps: config.adamEpsilon ?? 1e-8,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
    emaDecay: config.emaDecay,
  };
}

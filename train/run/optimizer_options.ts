import { UserError } from "../../base/user_error.ts";
import { OPTIM_NAMES, UPDATE_RULES } from "../../models/optimizer/rules/by_name.ts";
import type { World } from "../../base/parallel/world.ts";
import type { OptimizerOptions, OptimizerParts } from "../../models/optimizer/optimizer.ts";
import type { SftConfig } from "../sft/config.ts";

/** Settings of the optimizer under its own names; without `adamEpsilon`, that of PyTorch. */
export function optimizerOptions(
  config:
    & Pick<
      SftConfig,
      "adamBeta1" | "adamBeta2" | "weightDecay" | "maxGradNorm" | "emaDecay"
    >
    & Partial<Pick<SftConfig, "adamEpsilon" | "optim" | "zeroStage">>,
): OptimizerOptions {
  const { optim = "adamw_torch", zeroStage = 0 } = config;
  if (zeroStage > 0 && !UPDATE_RULES[optim].isShared) {
    const shared = OPTIM_NAMES.filter((name) => UPDATE_RULES[name].isShared).join(", ");
    throw new UserError(
      `Cannot share the moments of --optim ${optim} among ranks (--zero-stage ${zeroStage}): expected --optim ${shared}. ` +
        "Leave out one of the two flags",
    );
  }
  return {
    optim,
    beta1: config.adamBeta1,
    beta2: config.adamBeta2,
    eps: config.adamEpsilon ?? 1e-8,
    weightDecay: config.weightDecay,
    maxGradNorm: config.maxGradNorm,
    emaDecay: config.emaDecay,
  };
}

/** Who keeps which moments, as the settings say. */
export function sharedMoments({ zeroStage }: Pick<SftConfig, "zeroStage">, world: World): OptimizerParts {
  return zeroStage > 0 ? { shards: world } : {};
}

import { z } from "zod";
import { OBJECTIVES } from "../../train/rl/objectives/by_name.ts";
import { REWARDS, type WeightedReward } from "../../train/rl/rewards/by_name.ts";
import type { RewardMethod } from "../../train/rl/rewards/reward.ts";
import type { RlConfig } from "../../train/rl/config.ts";
import { RlSchema } from "../../train/rl/schema.ts";
import { type Configurable, ownSettings, settingsFlags } from "../_cli/settings_flags.ts";

const { shape } = RlSchema;

/** Headings of `--help`; what is under none of them trains. */
const GROUPS: Record<string, readonly (keyof RlConfig)[]> = {
  "What is asked": ["tasks", "titleHistories", "targets", "rows", "preferences"],
  "How it answers": [
    "rollout",
    "numGenerations",
    "temperature",
    "topK",
    "topP",
    "replacement",
    "addTarget",
    "dynamicSampling",
  ],
  "What answers are worth": [
    "reward",
    "advantages",
    "skipZeroVariance",
  ],
  "The objective": [
    "loss",
    "normalisation",
    "beta",
    "klEstimator",
    "refModelSyncSteps",
    "refModelMixupAlpha",
    "entropyCoefficient",
    "sftLossWeight",
    "numIterations",
    "targetKl",
    "maxKl",
  ],
  "What of the model is trained": ["loraR", "loraAlpha", "loraTargetModules"],
  "Validation and checkpoints": [
    "evalSteps",
    "evalSamples",
    "evalBeams",
    "patience",
    "saveSteps",
    "saveTotalLimit",
    "loggingSteps",
    "reportTo",
  ],
};
const TRAINING = "Training";

/** What only the registries know. */
const DESCRIPTIONS: Partial<Record<keyof RlConfig, string>> = {
  loss: `objective of the update: ${OBJECTIVES.map(({ name }) => name).join(", ")}`,
  reward: `rewards that are added up, each with a weight such as ranking:0.5: ${
    REWARDS.map(({ name }) => name).join(", ")
  }, or a .ts file of yours`,
};

const isConfigurable = (method: RewardMethod): method is RewardMethod & Configurable =>
  method.Config !== undefined;

/** Settings of single rewards, as flags. */
export const RewardFlags = settingsFlags(REWARDS.filter(isConfigurable), "reward");

/** Rewards with their settings out of all flags. Those of rewards that are not among them are left alone. */
export function configured(
  rewards: readonly WeightedReward[],
  flags: Readonly<Record<string, unknown>>,
): WeightedReward[] {
  return rewards.map(({ method, weight }) => ({
    method,
    weight,
    config: isConfigurable(method) ? ownSettings(method, flags, "reward") : undefined,
  }));
}

/** The settings as flags. */
export const RlFlags = z.strictObject(
  Object.fromEntries(
    Object.entries(shape).map(([key, field]) => {
      const name = key as keyof RlConfig;
      const group = Object.keys(GROUPS).find((group) => GROUPS[group].includes(name)) ?? TRAINING;
      return [key, field.meta({ description: DESCRIPTIONS[name] ?? field.description, group })];
    }),
  ) as typeof shape,
);

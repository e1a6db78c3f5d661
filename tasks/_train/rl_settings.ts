import { z } from "zod";
import { grouped } from "../../base/fields.ts";
import { OBJECTIVES } from "../../train/rl/objectives/by_name.ts";
import { REWARDS, type WeightedReward } from "../../train/rl/rewards/by_name.ts";
import type { RewardMethod } from "../../train/rl/rewards/reward.ts";
import { REWARD_HEADING, RlSchema } from "../../train/rl/config.ts";
import { type Configurable, ownSettings, settingsFlags } from "../_cli/settings_flags.ts";

/** Names that only the registries know. */
const NAMES: Record<string, readonly { name: string }[]> = { loss: OBJECTIVES, reward: REWARDS };

const isConfigurable = (method: RewardMethod): method is RewardMethod & Configurable =>
  method.Config !== undefined;

/** Settings of single rewards, as flags. */
export const RewardFlags = grouped(REWARD_HEADING, settingsFlags(REWARDS.filter(isConfigurable), "reward"));

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
    Object.entries(RlSchema.shape).map(([key, field]) => {
      if (!(key in NAMES)) return [key, field];
      const description = `${field.description}: ${NAMES[key].map(({ name }) => name).join(", ")}`;
      return [key, field.meta({ ...field.meta(), description })];
    }),
  ) as typeof RlSchema.shape,
);

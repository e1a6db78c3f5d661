import { BASELINES } from "../../train/baselines/by_name.ts";
import { EtegrecSchema } from "../../train/etegrec/config.ts";
import { RankSchema } from "../../train/rank/config.ts";
import { RlSchema } from "../../train/rl/config.ts";
import { SftSchema } from "../../train/sft/config.ts";
import { settingsDefaults } from "../_cli/settings_flags.ts";

/** Settings of the tasks that train, but for those of baselines. */
const SCHEMAS = { sft: SftSchema, rl: RlSchema, rank: RankSchema, etegrec: EtegrecSchema };

/** Settings of a run with a default, by name: what its `config.json` need not tell; none of a task that nobody knows. */
export function taskDefaults(task: string, { model }: Record<string, unknown>): Record<string, unknown> {
  const schema = task === "baseline"
    ? BASELINES.find(({ name }) => name === model)?.Config
    : SCHEMAS[task as keyof typeof SCHEMAS];
  if (schema === undefined) return {};
  const defaults = Object.entries({ holdoutRows: 0, ...settingsDefaults(schema) });
  return Object.fromEntries(defaults.filter(([, value]) => value !== undefined));
}

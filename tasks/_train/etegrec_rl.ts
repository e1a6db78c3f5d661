import { join } from "node:path";
import type { z } from "zod";
import { ofFirst } from "../../base/parallel/first_rank.ts";
import { count, grouped } from "../../base/fields.ts";
import { loadRlState } from "../../train/rl/state.ts";
import { rlExampleFields } from "../../train/rl/examples/settings.ts";
import { isFile } from "../../base/files/write_atomic.ts";
import { RunDirectory } from "../../train/run/directory.ts";
import { loraFields, maxSteps, reportFields, type ReportSettings } from "../../train/run/fields.ts";
import type { TaskIO } from "../_cli/cli.ts";
import type { DeviceChoice } from "../_cli/open_device.ts";
import { RewardFlags, RlFlags } from "./rl_settings.ts";
import type { StageOutcome } from "./etegrec_stages.ts";
import { rl, task as rlTask } from "../rl.ts";

/** Settings of `genrec rl` that the stages before decide, or that language models alone have. */
const LEFT_OUT = new Set([
  ...Object.keys({ ...rlExampleFields, ...loraFields, maxSteps }),
  ...[
    "seed",
    "evalSamples",
    "evalBeams",
    "gradientCheckpointing",
    ...Object.keys(reportFields),
    "embeddings",
  ],
]);

/** Those of the last stage, by its flags: `rlBeta` is `beta` of `genrec rl`. */
const KEYS = new Map(
  ["targets", ...Object.keys({ ...RlFlags.shape, ...RewardFlags }).filter((key) => !LEFT_OUT.has(key))]
    .map((key) => [`rl${key[0].toUpperCase()}${key.slice(1)}`, key]),
);

const fields: Record<string, z.ZodType> = { ...RlFlags.shape, ...RewardFlags };

/** Settings of the last stage: those of `genrec rl`, each with `rl` before its name. */
export const EtegrecRlFlags: Record<string, z.ZodType> & { rlSteps: z.ZodDefault<z.ZodInt> } = grouped(
  "Reinforcement learning at the end",
  {
    rlSteps: count(0).default(0).describe("steps of GRPO on the best stage before it; 0: none"),
    ...Object.fromEntries([...KEYS].map(([flag, key]) => [flag, fields[key]])),
    rlRollout: RlFlags.shape.rollout.unwrap().default("sample").describe(fields.rollout.description!),
  },
);
/** {@link EtegrecRlFlags} with all values. */
export type EtegrecRlSettings = Record<string, unknown> & { rlSteps: number };

/** What the last stage goes on from. */
export interface EtegrecRlInput {
  out: string;
  /** Stage whose recommender is trained on. */
  stage: string;
  settings: EtegrecRlSettings;
  /** Settings of validations, and the seed: those of the stages before. */
  shared: { evalSamples: number; evalBeams: number; seed: number };
  /** Where its metrics go. */
  reports: ReportSettings;
  /** Item vectors of the reward `semantic`. */
  embeddings: string;
  /** What it runs on. */
  device: DeviceChoice;
}

/** GRPO in `OUT/rl`, as `genrec rl` does it. Undefined where it was interrupted. */
export async function reinforce(
  { out, stage, settings, shared, reports, embeddings, device }: EtegrecRlInput,
  io: TaskIO,
): Promise<StageOutcome | undefined> {
  const folder = join(out, "rl");
  const { world } = io;
  const resume = await ofFirst(world, await isFile(join(folder, "latest")));
  // What stopped before its first checkpoint has nothing to go on from.
  if (world.rank === 0 && !resume && await isFile(join(folder, "config.json"))) {
    await Deno.remove(folder, { recursive: true });
  }
  io.log(`Stage rl${resume ? ", continued" : ""}`);
  const flags = {
    run: join(out, stage),
    out: folder,
    resume,
    ...device,
    embeddings,
    ...Object.fromEntries([...KEYS].map(([flag, key]) => [key, settings[flag]])),
    maxSteps: settings.rlSteps,
    ...shared,
    ...reports,
  };
  const told = await rl(rlTask.config.parse(flags) as Parameters<typeof rl>[0], io);
  if (!told) return undefined;
  const { state } = await loadRlState(await new RunDirectory(folder).checkpoint("latest"));
  const score = told.before + told.difference;
  return { best: { score, step: told.keptStep }, seconds: state.seconds };
}

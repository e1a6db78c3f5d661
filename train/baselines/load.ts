import { z } from "zod";
import { didYouMean } from "../../base/did_you_mean.ts";
import { readJson } from "../../base/files/json_file.ts";
import { UserError } from "../../base/user_error.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import { RunDirectory } from "../run/run_directory.ts";
import type { BaselineMethod, TrainedBaseline } from "./method.ts";
import * as registry from "./registry.ts";

/** Every baseline. */
export const baselines: readonly BaselineMethod[] = Object.values(registry) as BaselineMethod[];

const RunConfig = z.looseObject({ model: z.string() });

/**
 * Opens the run directory of `genrec baseline`; `which` is best, latest or a name such as step-400. `best` is the latest
 * one where the run was never validated.
 * @throws {UserError} for a folder without such a run, and a run without a checkpoint.
 */
export async function loadBaseline(device: Device, path: string, which = "best"): Promise<TrainedBaseline> {
  const run = new RunDirectory(path);
  const config = RunConfig.safeParse(await readJson(`${path}/config.json`, z.unknown()));
  const method = baselines.find(({ name }) => name === config.data?.model);
  if (!method) {
    const names = baselines.map(({ name }) => name);
    const found = config.data?.model ?? "none";
    throw new UserError(
      `Cannot use ${path}: its config.json names the model ${JSON.stringify(found)}, expected a run of ` +
        `\`genrec baseline\` with ${names.join(", ")}${didYouMean(found, names)}`,
    );
  }
  if (!await run.hasCheckpoint()) {
    throw new UserError(`Cannot use run ${path}: it has no checkpoint yet. Go on with its training first`);
  }
  const validated = await Deno.stat(`${path}/best`).then(() => true, () => false);
  const folder = await run.checkpoint(which === "best" && !validated ? "latest" : which);
  return await method.load(device, folder);
}

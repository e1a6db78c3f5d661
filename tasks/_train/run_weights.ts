import { isDeepStrictEqual } from "node:util";
import { join } from "node:path";
import { isFile } from "../../base/files/write_atomic.ts";
import { UserError } from "../../base/user_error.ts";
import type { Dataset } from "../../data/dataset.ts";
import { loadInputs } from "../../train/run/inputs.ts";
import { checkpointOf } from "../../train/runs/checkpoints.ts";
import { holdoutRowsOf, isModel, readRunFolder } from "../../train/runs/run_folder.ts";
import { runSettings } from "../../train/runs/sid_model.ts";

/** Weights that a run of `genrec sft` left, to start another run from. */
export interface RunWeights {
  /** Folder of the checkpoint. */
  folder: string;
  /** Directory of the run. */
  run: string;
  /** Whether its model knows SIDs alone, and no words. */
  sidsAlone: boolean;
  /** How it is asked: its templates, and what they call the items; absent where it reads no words, or kept none. */
  words?: { prompts: string; category: string };
}

/** The best checkpoint of a run directory, or the one named; undefined where `model` is neither. */
export async function runWeights(model: string): Promise<RunWeights | undefined> {
  const found = await readRunFolder(model).catch(() => undefined); // opening it as a model will say what is wrong
  if (found === undefined) return undefined;
  const { home } = found;
  const isRun = !isModel(found) && found.names.includes("checkpoints");
  if (home === undefined && !isRun) return undefined;
  const run = (home ?? found).path;
  const folder = home ? found.path : (await checkpointOf(run, "best")).folder;
  const prompts = join(run, "prompts.json");
  return {
    folder,
    run,
    sidsAlone: !await isFile(join(folder, "tokenizer.json")),
    ...(await isFile(prompts) && { words: { prompts, category: (await runSettings(run)).category } }),
  };
}

/** Throws `UserError` where a run knows train targets that the one that goes on from it is to leave out. */
export async function checkHeldOut({ run }: Pick<RunWeights, "run">, holdoutRows: number): Promise<void> {
  const rows = holdoutRowsOf(await readRunFolder(run));
  if (rows >= holdoutRows) return;
  throw new UserError(
    `Cannot leave out the last ${holdoutRows} train targets with the weights of ${run}: it was trained on ${
      rows === 0 ? "all" : `all but the last ${rows}`
    }. Start from weights that have not seen them, or use --holdout-rows ${rows}`,
  );
}

/**
 * Throws `UserError` unless a run of SIDs alone was trained on these of a dataset: its tokens mean other items otherwise.
 */
export async function checkSameSids(
  { run }: RunWeights,
  dataset: Dataset,
  sids: readonly (readonly string[])[],
): Promise<void> {
  const path = join(run, "index.json");
  const trained = await loadInputs(dataset.name, path, dataset);
  if (isDeepStrictEqual(trained.sids, sids)) return;
  throw new UserError(
    `Cannot go on from ${run} with these SIDs: they differ from its index.json, so its tokens would mean other items. ` +
      `Use --sids ${path} and the data that it was trained on`,
  );
}

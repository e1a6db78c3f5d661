import { UserError } from "../../base/user_error.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { Recommender } from "../../eval/recommender.ts";
import { holdoutRowsOf, readRunFolder } from "../runs/run_folder.ts";

/** A run to rank, with what its folder says of its training. */
export interface RankedRun {
  /** Folder, as given. */
  readonly run: string;
  readonly recommender: Recommender;
}

/**
 * Throws {@link UserError} unless runs were trained on the files of this dataset: a ranker of other lists than those that
 * it will get learns what is not so. `hashes` are the SHA-256 of these files.
 */
export function checkTrainedOn(
  runs: readonly RankedRun[],
  { name }: Dataset,
  data: string,
  hashes: readonly string[],
): void {
  for (const { run, recommender: { provenance: { manifest } } } of runs) {
    if (manifest === undefined) {
      throw new UserError(
        `Cannot rank with ${run}: no manifest.json tells what it was trained on. Name run directories of trainings`,
      );
    }
    const known = Object.values(manifest.inputs ?? {});
    const isSame = hashes.length > 0
      ? hashes.every((hash) => known.includes(hash))
      : manifest.dataset === name;
    if (isSame) continue;
    throw new UserError(
      `Cannot rank with ${run} on ${data}: it was trained on other files, of the dataset ${manifest.dataset}. Use the --data ` +
        "that it was trained on, or train it again",
    );
  }
}

/** Throws {@link UserError} unless runs were trained on the whole train split. */
export async function checkWhole(runs: readonly RankedRun[]): Promise<void> {
  for (const { run } of runs) {
    const rows = holdoutRowsOf(await readRunFolder(run));
    if (rows === 0) continue;
    throw new UserError(
      `Cannot rank with ${run}: it was trained on all but the last ${rows} train targets, which valid and test histories go ` +
        "on from. Name runs of the whole train split with --runs, this one with --fold-runs",
    );
  }
}

/**
 * Rows that all of these runs left out of their training, so that a ranker may learn from them.
 * @throws {UserError} where they left out none or others than the first, or are not `runs` trained on less, one each.
 */
export async function heldOutRows(folds: readonly RankedRun[], runs: readonly RankedRun[]): Promise<number> {
  if (folds.length !== runs.length) {
    throw new UserError(
      `Cannot learn to rank ${runs.length} --runs from ${folds.length} --fold-runs: expected one each, in the same order`,
    );
  }
  const first = holdoutRowsOf(await readRunFolder(folds[0].run));
  for (const [i, { run, recommender }] of folds.entries()) {
    const rows = holdoutRowsOf(await readRunFolder(run));
    if (rows === 0) {
      throw new UserError(
        `Cannot learn to rank from ${run}: it was trained on the whole train split, so its lists know the targets that the ` +
          "ranker learns from. Train it with --holdout-rows, or leave out --fold-runs and use --train-on valid",
      );
    }
    if (rows !== first) {
      throw new UserError(
        `Cannot learn to rank from ${run}: it left out the last ${rows} train targets, ${
          folds[0].run
        } the last ${first}. ` +
          "Train them with the same --holdout-rows",
      );
    }
    const [fold, whole] = [recommender, runs[i].recommender].map(({ provenance }) => provenance.model);
    if (fold !== whole) {
      throw new UserError(
        `Cannot learn to rank ${
          runs[i].run
        } (${whole}) from ${run} (${fold}): expected the same model, trained on less. ` +
          "Name --fold-runs in the order of --runs",
      );
    }
  }
  return first;
}

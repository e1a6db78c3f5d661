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

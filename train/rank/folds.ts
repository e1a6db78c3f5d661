import { UserError } from "../../base/user_error.ts";
import type { Dataset, Sample } from "../../data/dataset.ts";
import { holdOut } from "../../data/holdout.ts";
import type { Recommender } from "../../eval/recommender.ts";
import { holdoutRowsOf, readRunFolder } from "../runs/run_folder.ts";
import type { RankedRun } from "./check_runs.ts";

/** Runs that were trained on less, and what a ranker learns by their lists. */
export interface Fold {
  /** In the order of the runs that are ranked. */
  readonly runs: readonly Recommender[];
  /** Train targets that they left out. */
  readonly rows: number;
  /** What they were trained on. */
  readonly part: Dataset;
  /** Of those that they left out, the ones that no fold with fewer has. */
  readonly samples: readonly Sample[];
}

/**
 * The folds among these runs, those that left out fewer targets first: each holds `runs` once, in their order. Of several
 * folds each says something of the targets that the one before it had been trained on, so the ranker learns from more of
 * them, and no run is asked for what it knows.
 * @throws {UserError} where some left out none or others than their fold, or are not `runs` trained on less, one each.
 */
export async function foldsOf(
  foldRuns: readonly RankedRun[],
  runs: readonly RankedRun[],
  dataset: Dataset,
): Promise<Fold[]> {
  if (foldRuns.length === 0 || foldRuns.length % runs.length > 0) {
    throw new UserError(
      `Cannot learn to rank ${runs.length} --runs from ${foldRuns.length} --fold-runs: expected one each, in the same order, ` +
        "or the same of every fold",
    );
  }
  const found: { own: readonly RankedRun[]; rows: number }[] = [];
  for (let start = 0; start < foldRuns.length; start += runs.length) {
    const own = foldRuns.slice(start, start + runs.length);
    const rows = await heldOutRows(own, runs);
    const same = found.find((fold) => fold.rows === rows);
    if (same) {
      throw new UserError(
        `Cannot learn to rank from ${own[0].run} beside ${
          same.own[0].run
        }: both left out the last ${rows} train targets. ` +
          "Train each fold with another --holdout-rows",
      );
    }
    found.push({ own, rows });
  }
  const taken = new Set<Sample>();
  return found.sort((a, b) => a.rows - b.rows).map(({ own, rows }) => {
    const part = holdOut(dataset, rows);
    const samples = part.samples.valid.filter((sample) => !taken.has(sample));
    for (const sample of samples) taken.add(sample);
    return { runs: own.map(({ recommender }) => recommender), rows, part, samples };
  });
}

/** Rows that the runs of a fold left out of their training, so that a ranker may learn from them. */
async function heldOutRows(folds: readonly RankedRun[], runs: readonly RankedRun[]): Promise<number> {
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

import type { Sample } from "../../data/dataset.ts";
import type { Recommender } from "../../eval/recommender.ts";
import { InputMoments, type Standardisation } from "../features/standardise.ts";
import type { ListMaker } from "./make.ts";
import { askRuns } from "./ask_runs.ts";

/** Lists with a target, to learn from or to be measured on. Lists without it say nothing of either. */
export interface TargetLists {
  /** Samples, those without the target among their candidates too. */
  readonly samples: number;
  /** (L + 1): the candidates of list l are [offsets[l], offsets[l + 1]). */
  readonly offsets: Uint32Array;
  /** (L): the candidate that is the target, counted over all lists. */
  readonly targets: Uint32Array;
  /** Features (candidates, C), row after row, part by part. */
  readonly raw: readonly Float32Array[];
  /** Mean and deviation of the inputs over the candidates of all samples. */
  readonly standardisation: Standardisation;
}

/** How lists are collected. */
export interface CollectOptions {
  /** Runs, as those of the maker. */
  readonly runs: readonly Recommender[];
  /** Items that each run is asked for. */
  readonly listLength: number;
  /** Called with the samples done; throws to stop. */
  onProgress?(done: number): void;
}

/** Candidates and features for samples, whose targets are told apart from other items by being right alone. */
export async function collectLists(
  maker: ListMaker,
  samples: readonly Sample[],
  { runs, listLength, onProgress }: CollectOptions,
): Promise<TargetLists> {
  const offsets = [0], targets: number[] = [], raw: Float32Array[] = [];
  const moments = new InputMoments(maker.features.columns);
  const options = { k: listLength, beams: listLength };
  const sizes = await Promise.all(runs.map((run) => run.batchSize(options)));
  const batch = Math.max(1, ...sizes);
  for (let start = 0; start < samples.length; start += batch) {
    const some = samples.slice(start, start + batch);
    const lists = await askRuns(runs, some, options);
    for (const [i, { history, target }] of some.entries()) {
      const made = maker.make({ history, lists: lists[i] });
      moments.add(made.raw);
      const place = made.items.indexOf(target);
      if (place < 0) continue;
      targets.push(offsets.at(-1)! + place);
      offsets.push(offsets.at(-1)! + made.items.length);
      raw.push(made.raw);
    }
    onProgress?.(start + some.length);
  }
  return {
    samples: samples.length,
    offsets: Uint32Array.from(offsets),
    targets: Uint32Array.from(targets),
    raw,
    standardisation: moments.standardisation(),
  };
}

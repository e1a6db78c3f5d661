import type { Dataset, Sample } from "../../data/dataset.ts";
import type { Recommender } from "../../eval/recommender.ts";
import type { Device } from "../../kernels/gpu/device.ts";
import type { SparseRows } from "../../kernels/matmul/sparse.ts";
import { CANDIDATE_GENERATORS } from "../../rank/candidates/by_name.ts";
import { countingBytes, countTrain, type PurchaseCounts } from "../../rank/counts/purchases.ts";
import { wordIndexBytes } from "../../rank/candidates/texts.ts";
import { FEATURE_GROUPS } from "../../rank/features/by_name.ts";
import { FeatureColumns } from "../../rank/features/columns.ts";
import { featureSources } from "../../rank/features/sources.ts";
import { listLengthOf, type ListOptions } from "../../rank/lists/ask_runs.ts";
import {
  collectLists,
  type CollectOptions,
  type ListPart,
  type TargetLists,
} from "../../rank/lists/lists.ts";
import { ListMaker } from "../../rank/lists/make.ts";
import type { RankConfig } from "./config.ts";
import type { Fold } from "./folds.ts";

/** Runs over a train split, and what is known of it. */
export interface RankedSplit {
  readonly counts: PurchaseCounts;
  readonly runs: readonly Recommender[];
  readonly maker: ListMaker;
  readonly asked: RunListLengths;
}

/** Settings of candidates and features. */
type ListSettings = Pick<
  RankConfig,
  "candidates" | "features" | "listLength" | "scoredLength" | "countCandidates" | "textCandidates"
>;

/** What runs are asked for. */
export type RunListLengths = Pick<ListOptions, "k" | "scored">;

/** What runs are asked for by these settings. */
export function runListLengths(
  { listLength, scoredLength }: Pick<RankConfig, "listLength" | "scoredLength">,
): RunListLengths {
  return { k: listLength, scored: scoredLength };
}

/** Counts a train split and readies candidates and features for the lists of runs that were trained on it. */
export function rankedSplit(
  dataset: Dataset,
  texts: SparseRows | undefined,
  runs: readonly Recommender[],
  settings: ListSettings,
): RankedSplit {
  const counts = countTrain(dataset);
  return { counts, runs, maker: listMaker(counts, texts, runs, settings), asked: runListLengths(settings) };
}

/** Candidates and features of these settings over counts of a train split. */
export function listMaker(
  counts: PurchaseCounts,
  texts: SparseRows | undefined,
  runs: readonly Recommender[],
  settings: ListSettings,
): ListMaker {
  const { candidates, features, countCandidates, textCandidates } = settings;
  return new ListMaker({
    sources: featureSources(counts, texts, runs, runListLengths(settings)),
    generators: CANDIDATE_GENERATORS.filter(({ name }) => candidates.includes(name)),
    groups: FEATURE_GROUPS.filter(({ name }) => features.includes(name)),
    options: { countCandidates, textCandidates },
  });
}

/** Lists for samples that come after a train split. */
export function listsOf(
  { maker, runs, asked }: RankedSplit,
  samples: readonly Sample[],
  { world, onProgress }: Pick<CollectOptions, "world" | "onProgress"> = {},
): Promise<TargetLists> {
  return collectLists([{ maker, runs, samples }], { asked, world, onProgress });
}

/** Frees the weights of runs that were asked, and the matrices of their searches. */
export function freeRuns(device: Device, runs: readonly Recommender[]): void {
  for (const run of runs) run.destroy();
  device.trim();
}

/** What {@link foldLists} makes lists with. */
export interface FoldListOptions extends Pick<CollectOptions, "world" | "onProgress"> {
  /** Device of the runs. */
  device: Device;
  texts: SparseRows | undefined;
  settings: RankConfig;
}

/**
 * Lists for the samples of all folds, each by its own runs and by counts of what came before; one is counted at a time, and
 * its runs are freed after it.
 */
export function foldLists(
  folds: readonly Fold[],
  { device, texts, settings, world, onProgress }: FoldListOptions,
): Promise<TargetLists> {
  function* parts(): Generator<ListPart> {
    for (const { part, runs, samples } of folds) {
      const { maker, runs: asked } = rankedSplit(part, texts, runs, settings);
      yield { maker, runs: asked, samples };
      freeRuns(device, runs);
    }
  }
  return collectLists(parts(), { asked: runListLengths(settings), world, onProgress });
}

/** An item that a run lists, in V8: an object, an array and a number. */
const LISTED_BYTES = 120;

/** A train split, and the samples after it that lists are made for. */
export interface CountedSamples {
  split: Dataset;
  samples: readonly Sample[];
}

/** What lists will be, before any is made. */
export interface ListSizes {
  /** Columns of their features. */
  columns: FeatureColumns["columns"];
  /** Most candidates of a list. */
  most: number;
  /** Most bytes of items by their words and of counts: those of the runs' split stay, those of folds come one by one. */
  counts: number;
  /** Most bytes of the lists. */
  lists: number;
  /** Bytes of all that runs list for them, as objects of which a batch lives at a time. */
  asked: number;
}

/** Sizes of lists for the samples of `whole` and of `folds`. */
export function listSizes(
  whole: CountedSamples,
  folds: readonly CountedSamples[],
  texts: SparseRows | undefined,
  runs: readonly Pick<Recommender, "scoreUnit" | "scoreItems">[],
  settings: ListSettings,
): ListSizes {
  const { features, listLength, countCandidates, textCandidates } = settings;
  const nothing = countTrain({ items: [], samples: { train: [], valid: [], test: [] }, histories: [] });
  const groups = FEATURE_GROUPS.filter(({ name }) => features.includes(name));
  const { columns } = new FeatureColumns(
    groups,
    featureSources(nothing, texts, runs, runListLengths(settings)),
  );
  const listed = runs.reduce((sum, run) => sum + listLengthOf(run, runListLengths(settings)), 0);
  const most = runs.length * listLength + countCandidates + (texts ? textCandidates : 0);
  const histories = [whole, ...folds].flatMap(({ samples }) => samples.map(({ history }) => history.length));
  const candidates = histories.reduce((sum, length) => sum + most + length, 0);
  return {
    columns,
    most: histories.reduce((longest, length) => Math.max(longest, most + length), most),
    counts: (texts ? wordIndexBytes(texts) : 0) + countingBytes(whole.split) +
      Math.max(0, ...folds.map(({ split }) => countingBytes(split))),
    lists: 4 * columns.length * candidates,
    asked: LISTED_BYTES * histories.length * listed,
  };
}

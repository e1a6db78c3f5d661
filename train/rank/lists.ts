import type { Dataset, Sample } from "../../data/dataset.ts";
import type { Recommender } from "../../eval/recommender.ts";
import type { SparseRows } from "../../kernels/matmul/sparse.ts";
import { CANDIDATE_GENERATORS } from "../../rank/candidates/by_name.ts";
import { countingBytes, countTrain, type PurchaseCounts } from "../../rank/counts/purchases.ts";
import { FEATURE_GROUPS } from "../../rank/features/by_name.ts";
import { FeatureColumns } from "../../rank/features/columns.ts";
import { featureSources } from "../../rank/features/sources.ts";
import type { ListOptions } from "../../rank/lists/ask_runs.ts";
import { collectLists, type CollectOptions, type TargetLists } from "../../rank/lists/lists.ts";
import { ListMaker } from "../../rank/lists/make.ts";
import type { RankConfig } from "./config.ts";

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
  "candidates" | "features" | "listLength" | "scoredLength" | "countCandidates"
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
  const { candidates, features, countCandidates } = settings;
  return new ListMaker({
    sources: featureSources(counts, texts, runs, runListLengths(settings)),
    generators: CANDIDATE_GENERATORS.filter(({ name }) => candidates.includes(name)),
    groups: FEATURE_GROUPS.filter(({ name }) => features.includes(name)),
    options: { countCandidates },
  });
}

/** Lists for samples that come after a train split. */
export function listsOf(
  { maker, runs, asked }: RankedSplit,
  samples: readonly Sample[],
  { world, onProgress }: Pick<CollectOptions, "world" | "onProgress"> = {},
): Promise<TargetLists> {
  return collectLists(maker, samples, { runs, asked, world, onProgress });
}

/** Most bytes of the counts of these splits, and of the lists of their valid samples, known before either is made. */
export function rankingBytes(
  splits: readonly Dataset[],
  texts: SparseRows | undefined,
  runs: readonly Recommender[],
  settings: ListSettings,
): { counts: number; lists: number } {
  const { features, listLength, countCandidates } = settings;
  const nothing = countTrain({ items: [], samples: { train: [], valid: [], test: [] }, histories: [] });
  const groups = FEATURE_GROUPS.filter(({ name }) => features.includes(name));
  const { columns } = new FeatureColumns(
    groups,
    featureSources(nothing, texts, runs, runListLengths(settings)),
  );
  const most = runs.length * listLength + countCandidates;
  const candidates = splits.reduce(
    (sum, { samples: { valid } }) => valid.reduce((own, { history }) => own + most + history.length, sum),
    0,
  );
  return {
    counts: splits.reduce((sum, split) => sum + countingBytes(split), 0),
    lists: 4 * columns.length * candidates,
  };
}

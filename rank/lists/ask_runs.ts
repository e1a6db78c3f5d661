import type { Recommender, RecommendOptions, RecommendRequest } from "../../eval/recommender.ts";
import type { RunList } from "../candidates/candidates.ts";

/** What is wanted of runs that are ranked. */
export interface ListOptions extends RecommendOptions {
  /** Items whose scores are wanted of a run that scores every item anyway; those beyond `k` are no candidates. Default `k`. */
  scored?: number;
}

/** Items that a run lists. */
export function listLengthOf(
  run: Pick<Recommender, "scoreItems">,
  { k, scored = k }: Pick<ListOptions, "k" | "scored">,
): number {
  return run.scoreItems ? Math.max(k, scored) : k;
}

/** Requests that runs are asked at once. */
export async function batchOf(
  runs: readonly Pick<Recommender, "batchSize" | "scoreItems">[],
  options: ListOptions,
): Promise<number> {
  let most = 1;
  for (const run of runs) {
    most = Math.max(most, await run.batchSize({ ...options, k: listLengthOf(run, options) }));
  }
  return most;
}

/**
 * What each run lists for each request, [request][run]: items of one SID, one after the other, each with its score. Runs
 * are asked side by side: all are searched before the first is read.
 */
export async function askRuns(
  runs: readonly Pick<Recommender, "recommend" | "scoreItems">[],
  requests: readonly RecommendRequest[],
  options: ListOptions,
): Promise<RunList[][]> {
  const { wait = {} } = options;
  const { promise: allBegun, resolve } = Promise.withResolvers<void>();
  const beginning = new Set(runs), computing = new Set(runs);
  const begun = (run: typeof runs[number]) => {
    beginning.delete(run);
    if (beginning.size === 0) resolve();
  };
  const found = await Promise.all(runs.map((run) => {
    const begin = async () => {
      begun(run);
      await allBegun;
      await wait.begin?.();
    };
    const onComputed = () => {
      computing.delete(run);
      if (computing.size === 0) wait.onComputed?.();
    };
    const k = listLengthOf(run, options);
    // One that fails, or has nothing to wait for, does not hold up the others.
    return run.recommend(requests, { ...options, k, wait: { begin, onComputed } }).finally(() => begun(run));
  }));
  return requests.map((_, i) =>
    found.map((lists) => ({
      items: lists[i].flatMap(({ items }) => items),
      scores: lists[i].flatMap(({ items, score }) => items.map(() => score)),
      candidates: lists[i].slice(0, options.k).reduce((sum, { items }) => sum + items.length, 0),
    }))
  );
}

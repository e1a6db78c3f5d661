import type { Recommender, RecommendOptions, RecommendRequest } from "../../eval/recommender.ts";
import type { RunList } from "../candidates/candidates.ts";

/**
 * What each run lists for each request, [request][run]: items of one SID, one after the other, each with its score. Runs
 * are asked side by side: all are searched before the first is read.
 */
export async function askRuns(
  runs: readonly Pick<Recommender, "recommend">[],
  requests: readonly RecommendRequest[],
  options: RecommendOptions,
): Promise<RunList[][]> {
  const { wait = {} } = options;
  const computing = new Set(runs);
  const found = await Promise.all(runs.map((run) => {
    const onComputed = () => {
      computing.delete(run);
      if (computing.size === 0) wait.onComputed?.();
    };
    return run.recommend(requests, { ...options, wait: { begin: wait.begin, onComputed } });
  }));
  return requests.map((_, i) =>
    found.map((lists) => ({
      items: lists[i].flatMap(({ items }) => items),
      scores: lists[i].flatMap(({ items, score }) => items.map(() => score)),
    }))
  );
}

import type { Recommender, RecommendOptions, RecommendRequest } from "../../eval/recommender.ts";
import type { RunList } from "../candidates/candidates.ts";

/**
 * What each run lists for each request, [request][run]: items of one SID, one after the other, each with its score. Runs
 * are asked one after the other, since they share a device.
 */
export async function askRuns(
  runs: readonly Recommender[],
  requests: readonly RecommendRequest[],
  options: RecommendOptions,
): Promise<RunList[][]> {
  const lists: RunList[][] = requests.map(() => []);
  for (const run of runs) {
    const found = await run.recommend(requests, options);
    for (const [i, candidates] of found.entries()) {
      lists[i].push({
        items: candidates.flatMap(({ items }) => items),
        scores: candidates.flatMap(({ items, score }) => items.map(() => score)),
      });
    }
  }
  return lists;
}

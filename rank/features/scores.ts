import type { CandidateRequest, RunList } from "../candidates/candidates.ts";
import type { FeatureGroup, PutFeature } from "./features.ts";

/** Columns of one run. */
const NAMES = ["score", "gap", "reciprocal", "rank", "last"];

/**
 * What each run says of a candidate: its score, its distance to the best score of the list, 1 / rank, the rank, and the
 * score of the latest item of the history. What a run does not list has the lowest score of its list, 1 / rank 0 and twice
 * the length of a list as its rank.
 */
export const scoreFeatures: FeatureGroup = {
  name: "scores",
  summary: "scores and ranks in the lists of the runs",
  open({ runs }) {
    return {
      columns: runs.flatMap(({ name, scoreUnit }) =>
        NAMES.map((column) => ({
          name: `${name}.${column}`,
          signed: column !== "reciprocal" &&
            (scoreUnit !== "weight" || column === "gap" || column === "rank"),
        }))
      ),
      write(request, items, put) {
        for (const [run, list] of request.lists.entries()) {
          writeRun(list, request, items, 2 * runs[run].listLength, (place, column, value) => {
            put(place, run * NAMES.length + column, value);
          });
        }
      },
    };
  },
};

function writeRun(
  list: RunList,
  { history }: CandidateRequest,
  items: readonly number[],
  unlisted: number,
  put: PutFeature,
): void {
  const placeOf = new Map(list.items.map((item, place) => [item, place]));
  const best = list.scores[0] ?? 0, lowest = list.scores.at(-1) ?? 0;
  const scoreOf = (item: number | undefined) => list.scores[placeOf.get(item!) ?? -1] ?? lowest;
  const last = scoreOf(history.at(-1));
  for (const [i, item] of items.entries()) {
    const place = placeOf.get(item);
    const score = scoreOf(item);
    put(i, 0, score);
    put(i, 1, score - best);
    put(i, 2, place === undefined ? 0 : 1 / (place + 1));
    put(i, 3, place ?? unlisted);
    put(i, 4, last);
  }
}

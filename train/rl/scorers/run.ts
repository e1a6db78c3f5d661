import type { Recommender } from "../../../eval/recommender.ts";
import { isFile } from "../../../base/files/write_atomic.ts";
import { UserError } from "../../../base/user_error.ts";
import { openRun } from "../../runs/open_run.ts";
import { holdoutRowsOf, readRunFolder } from "../../runs/run_folder.ts";
import type { ItemScorer, ScorerMethod } from "./scorer.ts";

/** Items that a run lists for a history where it does not score all: as many as a ranker has candidates of each run. */
const LISTED = 50;

/**
 * The best checkpoint of a run directory. Of one that lists items, as decoders and rankers do, an item's score is its place in
 * the list, and the lowest for all that are not there.
 */
export const runScorer: ScorerMethod = {
  source: "a run directory",
  async open(source, { dataset, device, holdoutRows = 0 }) {
    if (!await isFile(`${source}/config.json`)) return undefined;
    if (holdoutRowsOf(await readRunFolder(source)) < holdoutRows) {
      throw new UserError(
        `Cannot reward by the scores of ${source}: it knows some of the last ${holdoutRows} train targets, which this ` +
          `run leaves out. Use one that was trained with --holdout-rows ${holdoutRows}`,
      );
    }
    const recommender = await openRun(source, { dataset, device });
    await recommender.load();
    if (recommender.scoreItems) return batched((histories) => recommender.scoreItems!(histories));
    const { listLength } = recommender.settings;
    const k = Math.min(
      LISTED,
      dataset.items.length,
      typeof listLength === "number" ? listLength : Infinity,
    );
    return batched((histories) => listedPlaces(recommender, histories, k));
  },
};

/** Scores of all items (N) for each history by their places among the first `k`, of a run that lists them. */
export async function* listedPlaces(
  recommender: Pick<Recommender, "recommend" | "batchSize" | "catalogue">,
  histories: readonly (readonly number[])[],
  k: number,
): AsyncGenerator<Float32Array> {
  const options = { k, beams: k }, size = await recommender.batchSize(options);
  for (let start = 0; start < histories.length; start += size) {
    const requests = histories.slice(start, start + size).map((history) => ({ history }));
    for (const list of await recommender.recommend(requests, options)) {
      const scores = new Float32Array(recommender.catalogue.items.length);
      for (const [place, { items }] of list.entries()) {
        for (const item of items) scores[item] = Math.max(scores[item], k - place);
      }
      yield scores;
    }
  }
}

/** Scores the histories that are asked for at one time in one go: a device answers many as fast as one. */
export function batched(scoreItems: NonNullable<Recommender["scoreItems"]>): ItemScorer {
  interface Asked {
    history: readonly number[];
    resolve(scores: Float32Array): void;
    reject(error: unknown): void;
  }
  let waiting: Asked[] = [];
  const answer = async () => {
    const asked = waiting;
    waiting = [];
    try {
      let next = 0;
      for await (const scores of scoreItems(asked.map(({ history }) => history))) {
        asked[next++].resolve(scores);
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  };
  return {
    scores: (history) =>
      new Promise((resolve, reject) => {
        if (waiting.length === 0) setTimeout(answer, 0);
        waiting.push({ history, resolve, reject });
      }),
  };
}

import { UserError } from "../../../base/user_error.ts";
import type { Recommender } from "../../../eval/recommender.ts";
import { isFile } from "../../../base/files/write_atomic.ts";
import { openRun } from "../../runs/open_run.ts";
import type { ItemScorer, ScorerMethod } from "./scorer.ts";

/** The best checkpoint of a run directory of `genrec baseline`. */
export const baselineScorer: ScorerMethod = {
  source: "a run directory of `genrec baseline`",
  async open(source, { dataset, device }) {
    if (!await isFile(`${source}/config.json`)) return undefined;
    const recommender = await openRun(source, { dataset, device });
    if (recommender.scoreItems === undefined) {
      throw new UserError(
        `Cannot reward by the scores of ${source}: its model searches SIDs and scores no items. Name a run of ` +
          "`genrec baseline` that does, such as sasrec",
      );
    }
    await recommender.load();
    return batched((histories) => recommender.scoreItems!(histories));
  },
};

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

import { UserError } from "../../../base/user_error.ts";
import { loadBaseline } from "../../baselines/load.ts";
import type { TrainedBaseline } from "../../baselines/method.ts";
import { isFile } from "../../../base/files/write_atomic.ts";
import type { ItemScorer, ScorerMethod } from "./scorer.ts";

/** The best checkpoint of a run directory of `genrec baseline`. */
export const baselineScorer: ScorerMethod = {
  source: "a run directory of `genrec baseline`",
  async open(source, { dataset, device }) {
    if (!await isFile(`${source}/config.json`)) return undefined;
    const trained = await loadBaseline(await device(), source);
    const { items, scoreAll } = trained;
    if (scoreAll === undefined) {
      throw new UserError(`Cannot reward by the scores of ${source}: its model ranks items without scores`);
    }
    if (items !== dataset.items.length) {
      throw new UserError(
        `Cannot reward by the scores of ${source}: it was trained on ${items} items, ${dataset.name} has ` +
          `${dataset.items.length}, expected as many. Train it on the same dataset`,
      );
    }
    return batched(scoreAll);
  },
};

/** Scores the histories that are asked for at one time in one go: a device answers many as fast as one. */
export function batched(scoreAll: NonNullable<TrainedBaseline["scoreAll"]>): ItemScorer {
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
      for await (const scores of scoreAll(asked.map(({ history }) => history))) asked[next++].resolve(scores);
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

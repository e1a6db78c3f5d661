import { UserError } from "../../data/user_error.ts";
import { Device } from "../../kernels/device.ts";
import { loadBaseline } from "../baselines/load.ts";
import { isFile } from "../run_directory.ts";
import type { ScorerMethod } from "./collaborative.ts";

/** The best checkpoint of a run directory of `genrec baseline`, on a device of its own. */
export const baselineScorer: ScorerMethod = {
  source: "a run directory of `genrec baseline`",
  async open(source, { dataset }) {
    if (!await isFile(`${source}/config.json`)) return undefined;
    const trained = await loadBaseline(await Device.open(), source);
    const { items, scores } = trained;
    if (scores === undefined) {
      throw new UserError(`Cannot reward by the scores of ${source}: its model ranks items without scores`);
    }
    if (items !== dataset.items.length) {
      throw new UserError(
        `Cannot reward by the scores of ${source}: it was trained on ${items} items, ${dataset.name} has ` +
          `${dataset.items.length}, expected as many. Train it on the same dataset`,
      );
    }
    return { scores: (history) => scores(history) };
  },
};

import { fill, PROMPTS } from "../mimigenrec/write_prompts.ts";
import type { ResultFormat } from "../../result_files/format.ts";

/**
 * MiniOneRec's results: the prompt (in our wording where the model reads no words), target and predictions, the target with the line end that its CSV splits train on.
 * It writes no metrics.
 */
export const minionerecResults: ResultFormat = {
  name: "minionerec",
  row: ({ history, target, predictions, asked }) => ({
    input: asked?.prompt ?? fill(PROMPTS.next.input, "history", history.join(", ")),
    output: `${target}\n`,
    predict: predictions,
  }),
  summary: () => [],
};

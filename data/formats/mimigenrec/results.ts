import { fill, PROMPTS } from "./write_prompts.ts";
import { sftRow } from "./rows.ts";
import type { ResultFormat } from "../../result_files/format.ts";

/**
 * MIMIGenRec's results: rows of `sft/test.json` with predictions, as the model was asked (in our wording where
 * it reads no words), and metrics to four decimals.
 */
export const mimigenrecResults: ResultFormat = {
  name: "mimigenrec",
  row: ({ history, target, predictions, asked }) => ({
    ...sftRow(
      asked ?? { ...PROMPTS.next, input: fill(PROMPTS.next.input, "history", history.join(", ")) },
      target,
    ),
    predict: predictions,
  }),
  summary({ hr, ndcg }, rows) {
    const named = (name: string, values: Record<string, number>) =>
      Object.entries(values).map(([k, value]): [string, number] => [`${name}@${k}`, value]);
    const means = [...named("HR", hr), ...named("NDCG", ndcg)];
    const rounded = means.map(([name, value]): [string, number] => [name, Number(value.toFixed(4))]);
    const table = [["path", ...rounded.map(([name]) => name)], [rows, ...rounded.map(([, value]) => value)]];
    return [
      ["metrics.json", JSON.stringify(Object.fromEntries(rounded), null, 4) + "\n"],
      ["metrics.tsv", table.map((cells) => cells.join("\t") + "\n").join("")],
    ];
  },
};

import { z } from "zod";
import { badValue } from "../../../base/file_error.ts";
import { readJson } from "../../../base/files/json_file.ts";
import { historyIn } from "./rows.ts";
import type { SftTextRow } from "./sft_rows.ts";

const Message = z.object({ role: z.string(), content: z.string() });
const Row = z.object({
  prompt: z.array(Message).refine(
    (messages) => ["user", "system,user"].includes(messages.map(({ role }) => role).join()),
    { error: "one message of the user, and one of the system before it or none" },
  ),
  reward_model: z.object({ ground_truth: z.string().trim() }),
  ability: z.string().min(1).default("rows"),
  extra_info: z.looseObject({}).optional(),
});

/**
 * The rows of a MIMIGenRec `rl/*.json`, taken as they are: an array of objects with the messages of `prompt`, the SID in
 * `reward_model.ground_truth` and the task's name in `ability`. `sids[i]` is the SID of item i, tokens joined; a
 * history is known where the question holds one list of SIDs. Of items with one SID the first is meant.
 * Throws `UserError` naming file, row (from 0) and field, also for a ground truth that is no SID of the index.
 */
export async function readRlRows(path: string, sids: readonly string[]): Promise<SftTextRow[]> {
  const items = new Map<string, number>();
  sids.forEach((sid, item) => items.has(sid) || items.set(sid, item));
  const rows = await readJson(path, z.array(Row));
  return rows.map(({ prompt, reward_model: { ground_truth: output }, ability: kind }, number) => {
    if (!items.has(output)) {
      throw badValue(
        { path: `${path} at [${number}]["reward_model"]["ground_truth"]` },
        "a SID of the run's index",
        output,
        "Use a run trained on the index that the rows were made with",
      );
    }
    const system = prompt.length > 1 ? prompt[0].content : "", input = prompt.at(-1)!.content;
    const history = (historyIn(input)?.sids ?? []).flatMap((sid) => items.get(sid) ?? []);
    return { system, instruction: "", input, output, history, kind };
  });
}

import type { Told } from "../../data/dataset.ts";
import { UserError } from "../../base/user_error.ts";
import type { Recommender } from "../../eval/recommender.ts";
import { ALIGNMENT_TASKS, alignmentTask } from "../../prompts/tasks/by_name.ts";
import type { HistoryRow } from "./histories.ts";

const TOLD = ["preference"] as const satisfies readonly Told[];

/**
 * Why a run cannot be asked for somebody: its task is not told what it asks by. Undefined where it is. Throws
 * {@link UserError} for a task that nobody can be told for here, and for what the run does not read.
 */
export function toldFault(
  { search, asked, provenance: { run } }: Pick<Recommender, "search" | "asked" | "provenance">,
  row: HistoryRow,
): string | undefined {
  const { task = "next-item" } = search ?? {};
  if (row.say && !asked) {
    throw new UserError(
      `Cannot say ${
        JSON.stringify(row.say[0])
      } of ${row.place} to ${run}: it reads no text. Leave it out, or train a run ` +
        "with --model or --tokenizer",
    );
  }
  const needs = alignmentTask(task).told?.needs;
  if (needs === "row") {
    throw new UserError(
      `Cannot recommend with task ${task}: it asks in the words of the rows of a file. Use genrec evaluate --task ${task}`,
    );
  }
  for (const name of TOLD) {
    const isTold = (row[name] ?? "").trim() !== "";
    if (isTold && name !== needs) {
      const others = ALIGNMENT_TASKS.filter(({ told }) => told?.needs === name).map(({ name }) => name);
      throw new UserError(
        `Cannot use the ${name} of ${row.place} with task ${task}: it asks by no ${name}. Leave it out, or use --task ` +
          others.join(" or "),
      );
    }
    if (!isTold && name === needs) {
      return `Cannot recommend for ${row.place}: task ${task} asks by a ${name}, found none. Add --${name} with one ` +
        `history, the field ${name} to a line of --file or a request`;
    }
  }
}

import type { Told } from "../../data/dataset.ts";
import { UserError } from "../../base/user_error.ts";
import { ALIGNMENT_TASKS, alignmentTask } from "../../prompts/tasks/by_name.ts";
import type { HistoryRow } from "./histories.ts";

const TOLD = ["preference"] as const satisfies readonly Told[];

/**
 * Why a task cannot be asked for somebody: it is not told what it asks by. Undefined where it is. Throws {@link UserError}
 * where it is told what it does not ask by.
 */
export function toldFault(task: string, row: HistoryRow): string | undefined {
  const needs = alignmentTask(task).told?.needs;
  for (const name of TOLD) {
    const isTold = (row[name] ?? "").trim() !== "";
    if (isTold && name !== needs) {
      const others = ALIGNMENT_TASKS.filter(({ told }) => told?.needs === name).map(({ name }) => name);
      throw new UserError(
        `Cannot use the ${name} of ${row.place} with task ${task}: it asks by no ${name}. Leave it out, or use --task ` +
          others.join(" or "),
      );
    }
    if (needs === "row") {
      throw new UserError(
        `Cannot recommend with task ${task}: it asks in the words of the rows of a file. Use genrec evaluate --task ${task}`,
      );
    }
    if (!isTold && name === needs) {
      return `Cannot recommend for ${row.place}: task ${task} asks by a ${name}, found none. Add --${name} with one ` +
        `history, the field ${name} to a line of --file`;
    }
  }
}

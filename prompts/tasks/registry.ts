import { didYouMean } from "../../base/did_you_mean.ts";
import { UserError } from "../../base/user_error.ts";
import { descriptionToSid } from "./description_to_sid.ts";
import { heterogeneous } from "./heterogeneous.ts";
import { historyToTitle } from "./history_to_title.ts";
import { nextItem } from "./next_item.ts";
import { preferenceToSid } from "./preference_to_sid.ts";
import { reasoningToSid } from "./reasoning_to_sid.ts";
import { rows } from "./rows.ts";
import { sidToDescription } from "./sid_to_description.ts";
import { sidToTitle } from "./sid_to_title.ts";
import type { AlignmentTask, TaskInput } from "./task.ts";
import { titleToSid } from "./title_to_sid.ts";
import { titlesToSid } from "./titles_to_sid.ts";
import { titlesToTitle } from "./titles_to_title.ts";

/** Every task of supervised fine-tuning, the next item first. */
export const ALIGNMENT_TASKS: readonly AlignmentTask[] = [
  nextItem,
  sidToTitle,
  titleToSid,
  historyToTitle,
  titlesToSid,
  titlesToTitle,
  descriptionToSid,
  sidToDescription,
  preferenceToSid,
  reasoningToSid,
  heterogeneous,
  rows,
];

/** The task of a name. Throws `UserError` listing all where there is none. */
export function alignmentTask(name: string): AlignmentTask {
  const task = ALIGNMENT_TASKS.find((task) => task.name === name);
  if (task !== undefined) return task;
  const names = ALIGNMENT_TASKS.map((task) => task.name);
  throw new UserError(
    `Cannot train on task ${JSON.stringify(name)}: there is no such task. Expected one of ` +
      names.join(", ") + didYouMean(name, names),
  );
}

/** Tokens beyond those of the index that tasks need, to add to a tokenizer after the index's. */
export function taskTokens(names: Iterable<string>, input: Pick<TaskInput, "dataset" | "rows">): string[] {
  return [...new Set([...names].flatMap((name) => alignmentTask(name).tokens?.(input) ?? []))];
}

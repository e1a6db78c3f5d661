import { UserError } from "../../../base/user_error.ts";
import { ALIGNMENT_TASKS, alignmentTask } from "../../../prompts/tasks/by_name.ts";
import { isSidAlone } from "../../../prompts/rows/source.ts";
import type { AlignmentTask } from "../../../prompts/tasks/task.ts";
import type { TextPromptsOptions } from "../../../prompts/text_options.ts";
import { isAnsweredWithText } from "./text_answers.ts";

/** The task that every run can be asked. */
export const NEXT_ITEM = "next-item";
// Reinforced by MiniOneRec.
const TEXT_TASKS = ["title-to-sid", "description-to-sid", "titles-to-sid"];

/** Tasks of reinforcement: what is right must be a SID, or a text of the catalogue. Those of `rows` are checked row by row. */
function isRewarded(task: AlignmentTask): boolean {
  return isSidAlone(task) || isAnsweredWithText(task) || task.name === "rows";
}

/**
 * What a run is asked where nothing else is said: a model of SIDs alone, or one that knows no titles and descriptions,
 * the next item; one that learned GPR's rows, those; one that learned the rows of a file, those of reinforcement where
 * `hasRows`; others what MiniOneRec asks, as far as data and templates go: also the SID of a title and of a description,
 * and the next item by titles.
 */
export function defaultTasks(text: TextPromptsOptions | undefined, hasRows: boolean): Record<string, number> {
  const { task = NEXT_ITEM, trained = [] } = text ?? {};
  if (text === undefined || task !== NEXT_ITEM) return { [task]: 1 };
  if (hasRows && trained.includes("rows")) return { rows: 1 };
  const more = trained.some(hasTexts)
    ? TEXT_TASKS.map((name) => alignmentTask(name)).filter((task) =>
      text.prompts.words(task) && task.missing(text) === undefined
    )
    : [];
  return Object.fromEntries([NEXT_ITEM, ...more.map(({ name }) => name)].map((name) => [name, 1]));
}

function hasTexts(name: string): boolean {
  const { question, answer } = alignmentTask(name);
  return [...question, ...answer].some((slot) => ["title", "titles", "description"].includes(slot));
}

/** Throws `UserError` for a task that is answered with other than a SID or a text of the catalogue, or that a model of SIDs alone cannot be asked. */
export function checkTasks(names: readonly string[], text: TextPromptsOptions | undefined): void {
  const possible = ALIGNMENT_TASKS.filter(isRewarded).map(({ name }) => name);
  for (const name of names) {
    if (!isRewarded(alignmentTask(name))) {
      throw new UserError(
        `Cannot reinforce task ${name}: its answers are neither SIDs nor texts of the catalogue, so none of them is known to ` +
          `be right. ` +
          `Expected one of ${possible.join(", ")}`,
      );
    }
    if (text === undefined && name !== NEXT_ITEM) {
      throw new UserError(
        `Cannot reinforce task ${name}: the run knows SIDs alone and reads no text. Use --tasks ${NEXT_ITEM}, or ` +
          "train a run with --model or --tokenizer first",
      );
    }
  }
}

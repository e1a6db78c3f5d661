import { UserError } from "../base/user_error.ts";
import type { Asker } from "../data/dataset.ts";
import { ALIGNMENT_TASKS, alignmentTask } from "./tasks/by_name.ts";
import type { TextPromptsOptions } from "./text_options.ts";
import type { NextItemPrompts } from "./next_item.ts";
import { sidQuestion } from "./tasks/task.ts";
import { sidTokenIds } from "../models/tokenizer/config.ts";

/**
 * Prompts for evaluation, reinforcement and recommendation: the very tokens that the rows of the same task are trained
 * on.
 * @throws {UserError} for a task that is not answered with a SID, an index that the tokenizer does not know, or a
 *   `maxLength` without room for a history of one item.
 */
export function textPrompts(options: TextPromptsOptions): NextItemPrompts {
  const { prompts, texts, maxHistory, maxLength = Infinity, task: name = "next-item" } = options;
  const task = alignmentTask(name);
  const asking = sidQuestion(task);
  if (asking === undefined) {
    const fit = ALIGNMENT_TASKS.filter((task) => sidQuestion(task) !== undefined).map(({ name }) => name);
    throw new UserError(
      `Cannot recommend with task ${name}: its answers are not SIDs alone. Use ${fit.join(", ")}`,
    );
  }
  const sidIds = sidTokenIds(prompts.tokenizer, texts.sidTokens);
  // What was learned of rows is written as their answers were, quotation marks and all.
  const isLearned = name === "rows" && prompts.templates.tasks["next-item"]?.rows !== undefined;
  const written = isLearned ? alignmentTask("next-item") : task;
  const answerOf = (item: number) => sidQuestion(written)!.answer(options, item);
  const whole = sidIds.map((_, item) => prompts.target(written, answerOf(item)));
  const cut = whole.map((tokens, item) => tokens.slice(0, tokens.lastIndexOf(sidIds[item].at(-1)!) + 1));
  const room = maxLength - whole.reduce((most, { length }) => Math.max(most, length), 0);
  const questionOf = (history: readonly number[], asker?: Asker) =>
    asking.ask(options, history.slice(-maxHistory), asker);
  return {
    text: options,
    vocabulary: prompts.tokenizer.vocabulary,
    itemTokens: options.end ?? hasPrefix(cut) ? whole : cut,
    prompt: (history, asker) =>
      prompts.prompt(task, questionOf(history, asker), 0, room) ?? noRoom(maxLength),
    said: (history, asker) => prompts.said(task, questionOf(history, asker), 0, room) ?? noRoom(maxLength),
  };
}

function noRoom(maxLength: number): never {
  throw new UserError(
    `Cannot ask for the next item: even a history of one item, or a question without one, has no room in ${maxLength} ` +
      "tokens, the --max-length of the training. Raise it there",
  );
}

/** Whether one of the sequences begins another one. */
function hasPrefix(sequences: readonly Uint32Array[]): boolean {
  const ends = new Set(sequences.map((tokens) => tokens.join()));
  return sequences.some((tokens) => tokens.some((_, i) => i > 0 && ends.has(tokens.subarray(0, i).join())));
}

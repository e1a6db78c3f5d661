import type { AlignmentTask } from "../../../prompts/tasks/task.ts";
import type { TextPromptsOptions } from "../../../prompts/text_options.ts";

const TEXTS = ["title", "description"] as const;

/** Whether a task is answered with a text that the catalogue has for an item, and nothing else. */
export function isAnsweredWithText({ answer }: AlignmentTask): boolean {
  return answer.length === 1 && (TEXTS as readonly string[]).includes(answer[0]);
}

/** (N) what the model writes for each item in a task that is answered with a text; empty for items without one. */
export function textAnswers(
  task: AlignmentTask,
  { prompts, texts }: Pick<TextPromptsOptions, "prompts" | "texts">,
): Uint32Array[] {
  const slot = task.answer[0] as typeof TEXTS[number];
  return texts.sids.map((_, item) => {
    const text = texts[slot](item);
    return text === "" ? new Uint32Array() : prompts.target(task, { [slot]: text });
  });
}

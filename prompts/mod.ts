/**
 * Prompts: how a model is asked for the next item, templates, training tasks in text.
 * @module
 */

export { genrecTemplates } from "./built_in.ts";
export type { NextItemPrompts, WrittenReasons } from "./next_item.ts";
export { type AskedTexts, Prompts, type PromptsOptions } from "./prompts.ts";
export { ItemTexts } from "./rows/item_texts.ts";
export type { TaskRange } from "./rows/mix.ts";
export {
  type AlignmentOptions,
  type AlignmentSource,
  alignmentSource,
  LONG_SEQUENCES,
  type LongSequences,
  LOSS_NORMALISATIONS,
  type LossNormalisation,
  type TaskReport,
} from "./rows/source.ts";
export type { TaskPlanOptions } from "./rows/task_plan.ts";
export { sidPrompts } from "./sids.ts";
export { ALIGNMENT_TASKS, alignmentTask } from "./tasks/by_name.ts";
export type {
  AlignmentTask,
  Example,
  Examples,
  InWordsTask,
  NextItemTask,
  OneItemTask,
  Slots,
  TaskInput,
  ToldTask,
} from "./tasks/task.ts";
export {
  type CompleteTemplates,
  type FrameTemplate,
  parseTemplates,
  type TaskTemplate,
  type Templates,
} from "./template.ts";
export { textPrompts } from "./text.ts";
export type { TextPromptsOptions } from "./text_options.ts";

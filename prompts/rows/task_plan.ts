import { PhiloxStream } from "../../base/philox.ts";
import { UserError } from "../../base/user_error.ts";
import { sidTokenIds } from "../../models/tokenizer/config.ts";
import type { Prompts } from "../prompts.ts";
import { draw } from "./mix.ts";
import { ALIGNMENT_TASKS, alignmentTask } from "../tasks/by_name.ts";
import type { AlignmentTask, Examples, TaskInput } from "../tasks/task.ts";

/** Which tasks to make rows of, in which words. */
export interface TaskPlanOptions extends TaskInput {
  /** Words, frame and tokenizer. */
  prompts: Prompts;
  /** Tasks by name, and how often an epoch has each of their rows: 1 once, 2 twice, 0.5 another half in each epoch. */
  tasks: Readonly<Record<string, number>>;
  /** Most rows of tasks by name; of more, so many are drawn once with the seed. Default: all. */
  most?: { rows: Readonly<Record<string, number>>; seed: number };
}

/** A task with the rows that the data has for it. */
export interface PlannedTask {
  task: AlignmentTask;
  weight: number;
  examples: Examples;
}

/**
 * The tasks of a mix. Throws `UserError` for unknown ones, weights below 0, those that the data has nothing for, and
 * tokens of the index or of a task that the tokenizer lacks.
 */
export function planTasks(options: TaskPlanOptions): PlannedTask[] {
  sidTokenIds(options.prompts.tokenizer, options.texts.sidTokens);
  return Object.entries(options.tasks).filter(([, weight]) => weight !== 0).map(([name, weight]) => {
    if (!(weight > 0 && Number.isFinite(weight))) {
      throw new UserError(`Cannot mix task ${name}: its weight is ${weight}, expected a number of 0 or more`);
    }
    const task = alignmentTask(name);
    const missing = task.missing(options);
    if (missing === undefined) {
      checkTokens(task, options);
      return { task, weight, examples: drawn(task, options) };
    }
    throw new UserError(
      `Cannot train on task ${name} of ${options.dataset.name}: expected ${missing}, found none. ` +
        "Add that, or leave the task out",
    );
  });
}

function drawn(task: AlignmentTask, options: TaskPlanOptions): Examples {
  const examples = task.examples(options), { count } = examples;
  const { rows, seed } = options.most ?? { rows: {}, seed: 0 };
  const most = rows[task.name] ?? count;
  if (count <= most) return examples;
  const kept = draw(count, most, new PhiloxStream(seed, `rows of ${task.name}`)).sort();
  return {
    count: most,
    example: (i) => examples.example(kept[i]),
    leftOut: { ...examples.leftOut, "not drawn": count - most },
  };
}

function checkTokens(task: AlignmentTask, options: TaskPlanOptions): void {
  const { tokenizer } = options.prompts;
  const lacking = task.tokens?.(options).find((token) => tokenizer.idOf(token) === undefined);
  if (lacking === undefined) return;
  throw new UserError(
    `Cannot train on task ${task.name}: its rows hold ${lacking}, which the tokenizer lacks. ` +
      "Use the index that the rows were written with, and a tokenizer with the tokens of the task",
  );
}

/** Tasks that both the data and the templates have something for. */
export function possibleTasks(input: TaskInput, prompts: Prompts): AlignmentTask[] {
  return ALIGNMENT_TASKS.filter((task) => prompts.words(task) && task.missing(input) === undefined);
}

/** Every text of the rows of a mix, parts of prompts and answers: what a tokenizer is trimmed to. */
export function* alignmentTexts(options: TaskPlanOptions): Generator<string> {
  for (const { task, examples } of planTasks(options)) {
    for (let i = 0; i < examples.count; i++) yield* options.prompts.texts(task, examples.example(i), i);
  }
}

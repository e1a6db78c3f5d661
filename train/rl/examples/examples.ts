import type { Dataset } from "../../../data/dataset.ts";
import { readPreferences } from "../../../data/preferences.ts";
import type { RlExample, RlExamples } from "../../../data/packing/rl_examples.ts";
import { readRlRows } from "../../../data/formats/mimigenrec/rl_rows.ts";
import { UserError } from "../../../base/user_error.ts";
import { alignmentTask } from "../../../prompts/tasks/by_name.ts";
import { withInstructions } from "../../../prompts/rows/row_wordings.ts";
import { mixedOrder, rowsPerEpoch } from "../../../prompts/rows/mix.ts";
import { type AlignmentSource, alignmentSource, type TaskReport } from "../../../prompts/rows/source.ts";
import type { NextItemPrompts } from "../../../prompts/next_item.ts";
import type { TextPromptsOptions } from "../../../prompts/text_options.ts";
import { isFile } from "../../../base/files/write_atomic.ts";
import { taskWeights } from "../../sft/text_inputs.ts";
import type { RlExampleSettings } from "./settings.ts";
import { AnswerItems, sharedTargets } from "./targets.ts";
import { checkTasks, defaultTasks, NEXT_ITEM } from "./tasks.ts";
import { isAnsweredWithText, textAnswers } from "./text_answers.ts";

/** As much of a trained run as its examples are made from. */
export interface RlRun {
  /** Directory of `dataset`, for the rows of a MIMIGenRec directory. */
  data: string;
  /** Its train split and its catalogue. */
  dataset: Dataset;
  /** How the model is asked; with `text`, in which words. */
  prompts: NextItemPrompts;
  /** Items of a history, the latest ones. */
  maxHistory: number;
}

/** What reinforcement learns from, and how much of it there is. */
export interface RlTrainingSet {
  /** Prompts with what is right. */
  examples: RlExamples;
  /** Rows of each task, with their tokens: answers included, as in fine-tuning. */
  report: TaskReport[];
}

/**
 * Examples of reinforcement for a trained run, in the words that it was trained with and as long as it was trained:
 * `next-item` of every train sample, and for language models the tasks of {@link RlExampleSettings}. Prompts are kept as
 * tokens (four bytes each), those of SIDs alone are made when asked for. `onProgress` counts rows.
 * @throws {UserError} for tasks that the run cannot be asked, that the data or the templates have nothing for, or whose
 *   answers are worded otherwise than the next item; files that are damaged or of another index; and no rows at all.
 */
export async function rlExamples(
  run: RlRun,
  settings: RlExampleSettings,
  onProgress?: (done: number, total: number) => void,
): Promise<RlTrainingSet> {
  const { text } = run.prompts;
  const rowsPath = settings.rows || `${run.data}/rl/train.json`;
  const hasRows = settings.rows !== "" || await isFile(rowsPath);
  const usual = () => settings.targets === "none" ? { [NEXT_ITEM]: 1 } : defaultTasks(text, hasRows);
  const weights = settings.tasks.length > 0 ? taskWeights(settings.tasks) : usual();
  checkTasks(Object.keys(weights), text);
  if (settings.rows !== "" && !weights.rows) {
    throw new UserError(
      `Cannot use --rows ${settings.rows} with tasks ${
        Object.keys(weights).join(", ")
      }: expected rows among them. ` +
        "Add it to --tasks, or leave out --rows",
    );
  }
  if (settings.targets === "none") return openExamples(run, weights);
  if (text === undefined) return sidExamples(run, weights["next-item"], settings);
  if (weights.rows && !hasRows) {
    throw new UserError(
      `Cannot reinforce task rows of ${run.dataset.name}: no ${rowsPath}, where MIMIGenRec has it. Name a file with ` +
        "--rows, or choose other --tasks",
    );
  }
  const rows = weights.rows ? await wordedRows(rowsPath, text) : undefined;
  const texts = new Map(
    Object.keys(weights).map((name) => alignmentTask(name)).filter(isAnsweredWithText)
      .map((task) => [task.name, textAnswers(task, text)]),
  );
  const source = alignmentSource({
    ...text,
    maxLength: text.maxLength ?? Infinity,
    tasks: weights,
    most: settings.titleHistories > 0
      ? { rows: { "titles-to-sid": settings.titleHistories }, seed: settings.seed }
      : undefined,
    rows,
    roomForAnswers: Object.fromEntries([...texts].map(([name, tokens]) => [name, longestOf(tokens)])),
    preferences: settings.preferences
      ? await readPreferences(settings.preferences, run.dataset.items.length)
      : undefined,
    onProgress,
  });
  return { examples: textExamples(run, text, source, settings, texts), report: [...source.report] };
}

function longestOf(tokens: readonly Uint32Array[]): number {
  return tokens.reduce((most, { length }) => Math.max(most, length), 0);
}

/** Rows of a file, in the words of the rows that the model learned where it asks for the same. */
async function wordedRows(path: string, { prompts, texts: { sids } }: TextPromptsOptions) {
  const rows = await readRlRows(path, sids);
  const { "next-item": words } = prompts.templates.tasks;
  return words?.rows === undefined ? rows : withInstructions(rows, [words, ...words.also ?? []], sids);
}

function textExamples(
  { prompts: { itemTokens } }: RlRun,
  { prompts }: TextPromptsOptions,
  source: AlignmentSource,
  { targets: which }: RlExampleSettings,
  answers: ReadonlyMap<string, Uint32Array[]>,
): RlExamples {
  const items = new AnswerItems(itemTokens);
  const texts = [...answers].map(([name, tokens]) => ({ name, tokens, items: new AnswerItems(tokens) }));
  const textOf = source.tasks.map((name) => texts.findIndex((text) => text.name === name));
  const own = Array.from({ length: source.count }, (_, i) => {
    const found = (texts[textOf[source.taskOf(i)]]?.items ?? items).of(source.target(i));
    if (found !== undefined) return found;
    throw new UserError(
      `Cannot reinforce task ${source.tasks[source.taskOf(i)]}: prompts ${prompts.name} word its answer ` +
        `${
          JSON.stringify(prompts.tokenizer.decode(source.target(i), true))
        }, which is not how the model writes the ` +
        "next item. Leave the task out of --tasks",
    );
  });
  const targets = which === "all" ? sharedTargets(own, (i) => source.prompt(i)) : own;
  const names = source.tasks.map((name, task) => {
    const { start, count } = source.ranges[task];
    return name === "rows"
      ? Array.from({ length: count }, (_, i) => source.example(start + i).kind ?? name)
      : name;
  });
  const tasks = [...new Set(names.flat())];
  const taskOf = (i: number) => {
    const task = source.taskOf(i), name = names[task];
    return tasks.indexOf(typeof name === "string" ? name : name[i - source.ranges[task].start]);
  };
  return {
    count: source.count,
    tasks,
    ...(texts.length > 0 && { texts: texts.map(({ tokens }) => tokens) }),
    make: (i): RlExample => {
      const text = textOf[source.taskOf(i)];
      return {
        prompt: source.prompt(i),
        targets: targets[i],
        history: source.example(i).history ?? [],
        task: taskOf(i),
        ...(text >= 0 && { text }),
      };
    },
    order: (epoch, seed) => source.order(epoch, seed),
  };
}

function sidExamples(
  { dataset, prompts, maxHistory }: RlRun,
  weight: number,
  { targets: which }: RlExampleSettings,
): RlTrainingSet {
  const { train } = dataset.samples;
  if (train.length === 0 || weight === 0) throw noRows(dataset, weight);
  const items = new AnswerItems(prompts.itemTokens);
  const prompt = (i: number) => prompts.prompt(train[i].history, train[i]);
  const own = train.map(({ target }) => items.of(prompts.itemTokens[target])!);
  const targets = which === "all" ? sharedTargets(own, prompt) : own;
  const make = (i: number): RlExample => ({
    prompt: prompt(i),
    targets: targets[i],
    history: train[i].history.slice(-maxHistory),
    task: 0,
  });
  return nextItems(train.length, weight, make, (i) => prompts.itemTokens[train[i].target].length);
}

/** What comes after all that each user bought in the train split: no file says it. */
function openExamples(
  { dataset, prompts, maxHistory }: RlRun,
  weights: Readonly<Record<string, number>>,
): RlTrainingSet {
  const others = Object.keys(weights).filter((name) => name !== NEXT_ITEM);
  if (others.length > 0) {
    throw new UserError(
      `Cannot reinforce ${
        others.join(", ")
      } with --targets none, which asks for the next item alone. Use --tasks ` +
        `${NEXT_ITEM}, or other --targets`,
    );
  }
  const { histories } = dataset, weight = weights[NEXT_ITEM];
  if (histories.length === 0 || weight === 0) throw noRows(dataset, weight);
  // The longest answer, since it is not known which one is right.
  const answer = longestOf(prompts.itemTokens);
  const make = (i: number): RlExample => ({
    prompt: prompts.prompt(histories[i].items),
    targets: [],
    history: histories[i].items.slice(-maxHistory),
    task: 0,
  });
  return nextItems(histories.length, weight, make, () => answer);
}

/** Examples of the next item alone; `answer` has the tokens of what is right. */
function nextItems(
  count: number,
  weight: number,
  make: (i: number) => RlExample,
  answer: (i: number) => number,
): RlTrainingSet {
  const range = { name: NEXT_ITEM, start: 0, count, weight };
  const report: TaskReport = {
    name: NEXT_ITEM,
    rows: count,
    rowsPerEpoch: rowsPerEpoch(range),
    tokens: 0,
    targets: 0,
    longest: 0,
    truncated: 0,
    leftOut: {},
  };
  for (let i = 0; i < count; i++) {
    const asked = make(i).prompt.length, tokens = answer(i);
    report.tokens += asked + tokens - 1;
    report.targets += tokens;
    report.longest = Math.max(report.longest, asked + tokens);
  }
  const examples = {
    count,
    tasks: [NEXT_ITEM],
    make,
    order: (epoch: number, seed: number) => mixedOrder([range], epoch, seed),
  };
  return { examples, report: [report] };
}

function noRows({ name }: Dataset, weight: number): UserError {
  return new UserError(
    `Cannot reinforce on ${name}: its train split has no rows for task ${NEXT_ITEM} with weight ${weight}, ` +
      "expected at least one. Use data with a train split, and a weight above 0",
  );
}

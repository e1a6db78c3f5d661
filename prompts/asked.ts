import { UserError } from "../base/user_error.ts";
import type { Dataset, Sample, Split } from "../data/dataset.ts";
import { type AlignmentTask, type InWordsTask, sidQuestion } from "./tasks/task.ts";
import { ALIGNMENT_TASKS, alignmentTask } from "./tasks/by_name.ts";
import type { Templates } from "./template.ts";

/** As which task a model is asked. */
export interface Asked {
  /** Name of a task that is answered with a SID alone. */
  task: string;
  /** Set where the model learned no prompt in the words of the task: what it then says means little. */
  unseen?: true;
}

const NEXT_ITEM = "next-item", ROWS = "rows", ASK = "ask for task";

/**
 * As which task a model that learned `trained` is asked: the next item where it learned that, be it in the words of the
 * rows of a file, else the first of its tasks that asks for the next item in another way, such as by titles. A model
 * that learned none of them is asked for the next item in words that it has not seen. Nothing known of its training
 * (no names) says nothing against a task.
 * In the words of the rows of a file any model is asked; one that learned no rows may not have seen them.
 * @throws {UserError} for a `wanted` task that has other answers, or that the model did not learn.
 */
export function askedAs(trained: readonly string[], templates: Templates, wanted = ""): Asked {
  const isRows = trained.includes(ROWS) && templates.tasks[NEXT_ITEM]?.rows !== undefined;
  const seen = (task: string) =>
    trained.length === 0 || trained.includes(task) || task === NEXT_ITEM && isRows;
  if (wanted === "") {
    const others = ALIGNMENT_TASKS.filter(({ nextItem }) => nextItem !== undefined).map(({ name }) => name);
    const task = [NEXT_ITEM, ...others].find(seen);
    return task === undefined ? { task: NEXT_ITEM, unseen: true } : { task };
  }
  const task = alignmentTask(wanted, ASK).name;
  if (isRanked(task) && seen(task)) return { task };
  // The words are those of a file: who learned a task may have learned it in them.
  if (task === ROWS) return { task, unseen: true };
  const possible = ALIGNMENT_TASKS.map(({ name }) => name).filter((name) => isRanked(name) && seen(name));
  throw new UserError(
    `Cannot ask for task ${wanted}: ${
      !isRanked(task)
        ? "its answers are not SIDs alone"
        : `the model learned ${trained.join(", ")}, and has not seen its words`
    }. ${possible.length === 0 ? "Leave it out" : `Expected ${possible.join(", ")}`}`,
  );
}

/**
 * The task in words that a model which learned `trained` is asked about an item, or about a history: `wanted`, or the
 * only one of them that it learned. Nothing known of its training (no names) says nothing against a task.
 * @throws {UserError} for a `wanted` task that has other questions or answers, or that the model did not learn, and
 *   without one where it learned none, or several.
 */
export function askedInWords(
  trained: readonly string[],
  about: InWordsTask["about"],
  wanted = "",
): AlignmentTask & { inWords: InWordsTask } {
  const isAbout = (task: AlignmentTask): task is ReturnType<typeof askedInWords> =>
    task.inWords?.about === about;
  const fitting = ALIGNMENT_TASKS.filter(isAbout);
  const possible = fitting.filter(({ name }) => trained.length === 0 || trained.includes(name));
  const found = wanted === "" ? possible : possible.filter(({ name }) => name === wanted);
  if (found.length === 1) return found[0];
  const listed = (tasks: readonly AlignmentTask[]) => tasks.map(({ name }) => name).join(" or ");
  const what = about === "item" ? "an item" : "a history";
  const learned = trained.length > 0
    ? `the model learned ${trained.join(", ")}`
    : "nothing tells what the model learned";
  const train = `Train with ${listed(fitting)} among --tasks`;
  if (wanted === "") {
    throw new UserError(
      `Cannot ask about ${what}: ${learned}${
        possible.length > 0
          ? `. Add --task ${listed(possible)}`
          : `, nothing that is answered in words about ${what}. ${train}`
      }`,
    );
  }
  const { name, inWords } = alignmentTask(wanted, ASK);
  const expected = possible.length > 0 ? `Expected ${listed(possible)}` : train;
  throw new UserError(
    `Cannot ask for task ${name} about ${what}: ${
      inWords === undefined
        ? `its answers are not words alone. ${expected}`
        : inWords.about !== about
        ? about === "item" ? "it is about a history. Use --history" : "it is about an item. Use --items"
        : `${learned}, and has not seen its words. ${expected}`
    }`,
  );
}

/** Questions of a task: the samples of a split, or for a task about one item the items that it can be asked about. */
export function askedSamples({ oneItem }: AlignmentTask, dataset: Dataset, split: Split): Sample[] {
  if (oneItem === undefined) return dataset.samples[split];
  return dataset.items.flatMap((item, number) =>
    oneItem.knows(item, number) ? { user: `item ${number}`, history: [number], target: number } : []
  );
}

function isRanked(name: string): boolean {
  return sidQuestion(alignmentTask(name)) !== undefined;
}

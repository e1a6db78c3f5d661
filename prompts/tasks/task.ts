import type { Preference } from "../../data/preferences.ts";
import type { SftTextRow } from "../../data/formats/mimigenrec/sft_rows.ts";
import type { Dataset, Item } from "../../data/dataset.ts";
import type { Asker, Told } from "../../data/dataset.ts";
import type { TaskTemplate } from "../template.ts";
import type { ItemTexts } from "../rows/item_texts.ts";

/** What goes into the places of a template: a text, or a list whose oldest entries may be dropped. */
export type Slots = Readonly<Record<string, string | readonly string[]>>;

/** One row to learn from. The question is all that a prompt is made of, so no prompt can hold the answer. */
export interface Example {
  /** Fills the places of instruction and input. */
  question: Slots;
  /** Fills the places of the output. */
  answer: Slots;
  /** The item that comes next, where that is asked for: its value weighs the row. */
  next?: number;
  /** Item numbers of the history that the question is about, oldest first, where there is one. */
  history?: readonly number[];
  /** What a file calls the task of the row, where its rows are of several. */
  kind?: string;
}

/** The rows of a task, made one at a time. */
export interface Examples {
  /** Number of rows. */
  count: number;
  /** Row `i`: the same whenever it is asked for. */
  example(i: number): Example;
  /** What could be no row, by reason. */
  leftOut: Readonly<Record<string, number>>;
}

/** What tasks make their rows of. */
export interface TaskInput {
  /** Its train split and its catalogue. */
  dataset: Dataset;
  /** Titles, descriptions and SIDs of its items. */
  texts: ItemTexts;
  /** Items of a history, the latest ones. */
  maxHistory: number;
  /** Rows of a preference file. */
  preferences?: readonly Preference[];
  /** Rows taken as they are. */
  rows?: readonly SftTextRow[];
}

/** A task that asks for the SID of the next item: also how a trained model is evaluated and asked for advice. */
export interface NextItemTask {
  /** The question after a history (item numbers, oldest first). */
  ask(input: TaskInput, history: readonly number[], asker?: Asker): Slots;
  /** The answer that means an item. */
  answer(input: TaskInput, item: number, asker?: Asker): Slots;
}

/** A task that asks for the SID of an item by what the data says of it. */
export interface OneItemTask extends NextItemTask {
  /** Whether the data says it of an item. */
  knows(item: Item, number: number): boolean;
}

/** A task that asks for the SID of the next item by more than the data knows of who asks. */
export interface ToldTask extends NextItemTask {
  /** What it is told: by whoever asks, or `reasoning` by the model, which writes it before the SID. */
  needs: Told;
}

/** A task that asks for text about items. */
export interface InWordsTask {
  /** What its questions are about: one item, or a history. */
  about: "item" | "history";
  /** The question about items (numbers; the one item, or a history, oldest first). */
  ask(input: TaskInput, items: readonly number[]): Slots;
}

/** A task of supervised fine-tuning: what is asked, what is answered, and which rows a dataset has for it. */
export interface AlignmentTask {
  /** As on the command line. */
  name: string;
  /** One line for people: what is asked -> what is answered. */
  summary: string;
  /** Our words for it; absent where its rows bring their own. */
  wording?: TaskTemplate;
  /** Places that instruction and input may have. */
  question: readonly string[];
  /** Places that the output may have. */
  answer: readonly string[];
  /** What the data must have, as a sentence; undefined where it has that. */
  missing(input: TaskInput): string | undefined;
  /** Tokens beyond those of SIDs that its rows hold: ordinary tokens, which the tokenizer is to have. */
  tokens?(input: Pick<TaskInput, "dataset" | "rows">): string[];
  /** Where the next item's SID is all that is asked for. */
  nextItem?: NextItemTask;
  /** Where the SID of one item is all that is asked for: the question is about the last item of its history. */
  oneItem?: OneItemTask;
  /** Where the next item's SID is all that is asked for, by what no dataset holds. */
  told?: ToldTask;
  /** Where text is all that is asked for, and items of the catalogue are all that the question is about. */
  inWords?: InWordsTask;
  /** Its rows. */
  examples(input: TaskInput): Examples;
}

/** How a task asks for the SID of an item; undefined where its answers are others. */
export function sidQuestion({ nextItem, oneItem, told }: AlignmentTask): NextItemTask | undefined {
  return nextItem ?? oneItem ?? told;
}

import { UserError } from "../../base/user_error.ts";
import { untitled } from "../../data/corpus_dataset.ts";
import { askedInWords } from "../../prompts/asked.ts";
import type { InWordsTask } from "../../prompts/tasks/task.ts";
import type { TextPromptsOptions } from "../../prompts/text_options.ts";
import type { SidRun } from "../../train/runs/sid_model.ts";
import { type ListedItem, listedItem } from "../_recommend/answer.ts";

/** What a model goes on from, and what is shown of it. */
export interface TextQuestion {
  /** What the model reads. */
  tokens: Uint32Array;
  /** What stands before the text. */
  before: string;
  /** What stands below the text; "" for nothing. */
  after: string;
  /** A line of JSON of the text. */
  line(text: string): Record<string, unknown>;
}

/** A run that reads text, as items are asked about. */
export interface AskedRun extends Pick<SidRun, "dataset" | "sids"> {
  text: TextPromptsOptions;
}

/**
 * Questions of a task in words: one an item, or one about all of them as a history, oldest first. Where one has more
 * than `room` tokens, the oldest of the history are left out.
 * @throws {UserError} for a `task` that the model did not learn or that is not about that, and a question without content.
 */
export function itemQuestions(
  { dataset, sids, text }: AskedRun,
  about: InWordsTask["about"],
  task: string,
  items: readonly number[],
  room: number,
): TextQuestion[] {
  const asked = askedInWords(text.trained ?? [], about, task);
  const slot = asked.answer[0];
  const tokensOf = (numbers: readonly number[]) => {
    const question = asked.inWords.ask(text, numbers);
    const empty = Object.entries(question).find(([, value]) => value.length === 0);
    if (empty) {
      throw new UserError(
        `Cannot ask for task ${asked.name}: no item of --history has a title. Name others, or use another --task`,
      );
    }
    return text.prompts.prompt(asked, question, 0, room) ?? text.prompts.prompt(asked, question)!;
  };
  const listed = (item: number) => listedItem({ catalogue: { items: dataset.items, sids } }, item);
  if (about === "history") {
    const history = items.slice(-text.maxHistory).map(listed);
    return [{
      tokens: tokensOf(history.map(({ item }) => item)),
      before: `${history.map((item) => `${named(item)}  ${item.title}`).join("\n")}\n  model: `,
      after: "",
      line: (text) => ({ history, text }),
    }];
  }
  return items.map((item) => {
    const { title: _, ...name } = listed(item);
    const truth = textOf(dataset.items[item], item, slot);
    return {
      tokens: tokensOf([item]),
      before: `${named(name)}\n  model: `,
      after: truth === undefined ? "" : `  ${slot}: ${truth}\n`,
      line: (text) => ({ ...name, text, [slot]: truth }),
    };
  });
}

function named({ item, id, sid }: Omit<ListedItem, "title">): string {
  return [item, id ?? [], sid!].flat().join("  ");
}

/** What the data says of an item in the place of an answer; undefined where it says nothing. */
function textOf(
  { title, description }: SidRun["dataset"]["items"][number],
  item: number,
  slot: string,
): string | undefined {
  if (slot === "description") return description;
  return title === untitled(item) ? undefined : title;
}

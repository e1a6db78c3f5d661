import type { Sample } from "../../../data/dataset.ts";
import type { Example, Examples, InWordsTask, NextItemTask, TaskInput } from "../task.ts";

/** One row a train sample for which `make` gives one; the others are counted under `reason`. */
export function fromSamples(
  { dataset: { samples: { train } }, maxHistory }: TaskInput,
  reason: string,
  make: (sample: Sample, history: readonly number[]) => Example | undefined,
): Examples {
  const of = (sample: Sample) => {
    const history = sample.history.slice(-maxHistory);
    const example = history.length === 0 ? undefined : make(sample, history);
    return example && { ...example, history };
  };
  const rows = train.filter((sample) => of(sample) !== undefined);
  return {
    count: rows.length,
    example: (i) => of(rows[i])!,
    leftOut: rows.length < train.length ? { [reason]: train.length - rows.length } : {},
  };
}

/** One row a train sample, asked and answered as in evaluation; without rows that have an empty list. */
export function fromNextItem(input: TaskInput, reason: string, { ask, answer }: NextItemTask): Examples {
  return fromSamples(input, reason, (sample, history) => {
    const question = ask(input, history, sample);
    if (Object.values(question).some((slot) => typeof slot !== "string" && slot.length === 0)) {
      return undefined;
    }
    return { question, answer: answer(input, sample.target), next: sample.target };
  });
}

/**
 * One row for each different pair of question and answer that items with a title or description give. A question with
 * several right answers, such as a title that items share, is asked once for each of them.
 */
export function fromItems(
  { texts }: TaskInput,
  kind: "title" | "description",
  pair: (text: string, sid: string) => Example,
): Examples {
  const { sids } = texts;
  const rows: Example[] = [];
  const seen = new Set<string>();
  let empty = 0;
  for (let item = 0; item < sids.length; item++) {
    const text = texts[kind](item);
    if (text === "") {
      empty++;
      continue;
    }
    const example = pair(text, sids[item]);
    const key = JSON.stringify([example.question, example.answer]);
    if (!seen.has(key)) rows.push(example);
    seen.add(key);
  }
  const repeated = sids.length - empty - rows.length;
  return {
    count: rows.length,
    example: (i) => rows[i],
    leftOut: {
      ...(empty > 0 && { [`no ${kind}`]: empty }),
      ...(repeated > 0 && { "same question and answer": repeated }),
    },
  };
}

/** Asks about an item by its SID. */
export const aboutItem: InWordsTask = {
  about: "item",
  ask: ({ texts }, [item]) => ({ sid: texts.sids[item] }),
};

/** Asks about a history by its SIDs. */
export const aboutHistory: InWordsTask = {
  about: "history",
  ask: (input, history) => ({ history: historySids(input, history) }),
};

/** Titles of a history, without items that have none. */
export function historyTitles({ texts }: TaskInput, history: readonly number[]): string[] {
  return history.map((item) => texts.title(item)).filter((title) => title !== "");
}

/** SIDs of a history. */
export function historySids({ texts }: TaskInput, history: readonly number[]): string[] {
  return history.map((item) => texts.sids[item]);
}

/** Says what is missing where no item has a title. */
export function missingTitles({ dataset, texts }: TaskInput): string | undefined {
  return dataset.items.some((_, item) => texts.title(item) !== "") ? undefined : "item titles";
}

/** Says what is missing where no item has a description. */
export function missingDescriptions({ dataset, texts }: TaskInput): string | undefined {
  return dataset.items.some((_, item) => texts.description(item) !== "") ? undefined : "item descriptions";
}

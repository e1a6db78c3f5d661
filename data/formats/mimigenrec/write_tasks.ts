import { PhiloxStream } from "../../../base/philox.ts";
import { drawRows } from "../../convert/draw.ts";
import { TextColumn } from "../../convert/text_column.ts";
import type { RowChoice } from "../../convert/writer.ts";
import type { CorpusItem, CorpusSample } from "../../corpus.ts";
import { type CorpusParts, countRows, keptRows, numberedRows, rowsIn } from "../../corpus_parts.ts";
import type { Split } from "../../dataset.ts";
import { type RlRow, rlRow, type RlTask, type SftRow, sftRow, type Stage } from "./rows.ts";
import { fill, PROMPTS } from "./write_prompts.ts";

const BY_TITLES: RlTask = { ability: "seq_title2sid", task: "task4_hisTitle2sid" };
const BY_TEXT: RlTask = { ability: "title_desc2sid", task: "task5_title_desc2sid" };

/**
 * Train rows that tie SIDs to texts, as MIMIGenRec mixes them in: for SFT title of a SID, SID of a title, and title of
 * the next item; for RL the next item by titles, and SIDs of titles and descriptions. None where items have no titles,
 * and none in valid and test. Without a choice all samples are used; MIMIGenRec draws 10,000 histories of titles.
 */
export async function* otherRows(
  corpus: CorpusParts,
  stage: Stage,
  split: Split,
  choice: RowChoice = ALL_ROWS,
): AsyncGenerator<SftRow | RlRow> {
  if (split !== "train" || corpus.sids === undefined) return;
  yield* stage === "sft" ? sftRows(corpus, corpus.sids, choice) : rlRows(corpus, corpus.sids, choice);
}

/** Every row of every task. */
const ALL_ROWS: RowChoice = { tasks: [], titleHistories: 0, seed: 0 };

/** Whether rows of a task are written. */
export function isWritten(name: string, { tasks }: RowChoice): boolean {
  return tasks.length === 0 || tasks.includes(name);
}

async function* sftRows(
  { items, samples }: CorpusParts,
  sids: string[][],
  choice: RowChoice,
): AsyncGenerator<SftRow> {
  for await (const [item, title] of firstWith(items(), ({ title }) => title)) {
    const { titleOf, codeOf } = PROMPTS, sid = sids[item].join("");
    if (isWritten("sid-to-title", choice)) {
      yield sftRow({ ...titleOf, input: fill(titleOf.input, "sid", sid) }, title);
    }
    if (isWritten("title-to-sid", choice)) {
      yield sftRow({ ...codeOf, input: fill(codeOf.input, "title", title) }, sid);
    }
  }
  if (!isWritten("history-to-title", choice)) return;
  const titles = await TextColumn.of(items(), ({ title }) => title);
  for await (const { history, target } of rowsIn(samples("train"))) {
    const title = titles.at(target);
    if (title === "") continue;
    const text = history.map((item) => sids[item].join("")).join(", ");
    yield sftRow({ ...PROMPTS.nextTitle, input: fill(PROMPTS.nextTitle.input, "history", text) }, title);
  }
}

async function* rlRows(
  { name: source, items, samples }: CorpusParts,
  sids: string[][],
  choice: RowChoice,
): AsyncGenerator<RlRow> {
  let index = 0;
  const column = await TextColumn.of(items(), ({ title }) => title);
  const titled = () => titledSamples(samples("train"), column);
  const isAsked = isWritten("titles-to-sid", choice)
    ? drawRows(
      await countRows(titled()),
      choice.titleHistories,
      new PhiloxStream(choice.seed, "rows of titles-to-sid"),
    )
    : new Uint8Array();
  for await (const { history, target } of rowsIn(keptRows(titled(), isAsked))) {
    const titles = history.map((item) => `"${column.at(item)}"`).join(", ");
    const input = fill(PROMPTS.nextByTitles.input, "titles", titles);
    const wording = { ...PROMPTS.nextByTitles, input };
    yield rlRow(wording, sids[target].join(""), { ...BY_TITLES, source, split: "train", index: index++ });
  }
  index = 0;
  const questions = [
    { name: "title-to-sid", prompt: PROMPTS.codeOf, place: "title", text: ({ title }: CorpusItem) => title },
    {
      name: "description-to-sid",
      prompt: PROMPTS.codeOfDescription,
      place: "description",
      text: (item: CorpusItem) => item.description ?? "",
    },
  ];
  for (const { prompt, place, text } of questions.filter(({ name }) => isWritten(name, choice))) {
    for await (const [item, told] of firstWith(items(), text)) {
      const wording = { system: prompt.system, input: fill(prompt.input, place, told) };
      yield rlRow(wording, sids[item].join(""), { ...BY_TEXT, source, split: "train", index: index++ });
    }
  }
}

/** Samples whose history has titles alone. */
async function* titledSamples(
  samples: AsyncIterable<readonly CorpusSample[]>,
  titles: TextColumn,
): AsyncGenerator<CorpusSample[]> {
  for await (const part of samples) {
    yield part.filter(({ history }) => history.every((item) => titles.at(item) !== ""));
  }
}

/** Of items with the same text the first, since a question has one answer; none without a text. */
async function* firstWith(
  items: AsyncIterable<readonly CorpusItem[]>,
  textOf: (item: CorpusItem) => string,
): AsyncGenerator<[item: number, text: string]> {
  const seen = new Set([""]);
  for await (const { first, rows } of numberedRows(items)) {
    for (const [row, item] of rows.entries()) {
      const text = textOf(item);
      if (!seen.has(text)) yield [first + row, text];
      seen.add(text);
    }
  }
}

/** LLaMA-Factory's list of the SFT files of a directory. */
export function datasetInfo({ name }: { name: string }): string {
  const columns = { prompt: "instruction", query: "input", response: "output", system: "system" };
  const entries = (["train", "valid"] as const).map((split) => [
    `${name}_${split}`,
    { file_name: `sft/${split}.json`, columns },
  ]);
  return JSON.stringify(Object.fromEntries(entries), null, 2) + "\n";
}

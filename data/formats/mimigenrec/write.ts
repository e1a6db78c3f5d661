import { z } from "zod";
import { UserError } from "../../../base/user_error.ts";
import type { Corpus } from "../../corpus.ts";
import { type Split, splits } from "../../dataset.ts";
import { formatIndex, formatNewTokens, newTokens } from "../index_file.ts";
import { brokenCategories, formatItems } from "../item_file.ts";
import {
  NEXT_SID,
  RlRow,
  rlRow,
  type RowPlace,
  type SampleRows,
  SftRow,
  sftRow,
  type Stage,
  STAGES,
} from "./rows.ts";
import { fill, PROMPTS, type Wording } from "./write_prompts.ts";
import { datasetInfo, isWritten, otherRows } from "./write_tasks.ts";
import { needSids } from "../../convert/need_sids.ts";
import { ITEM_FIELDS } from "../../convert/fields.ts";
import type { DatasetWriteOptions, DatasetWriter, NamedFile, RowChoice } from "../../convert/writer.ts";

const PREFIX = "mimigenrec", NEXT_ITEM = "next-item";

/**
 * MIMIGenRec's files, and `item.json`, which it ignores here and reading back needs. The wording is our own unless the
 * dataset came with another; rows are not shuffled, since LLaMA-Factory and TRL shuffle them.
 */
export const mimigenrecWriter: DatasetWriter = {
  name: "mimigenrec",
  holds: [
    "SIDs",
    ...ITEM_FIELDS,
    "user ids", // told below
    "which split a sample is in",
    "the order of samples",
  ],

  rowTasks: [
    NEXT_ITEM,
    "sid-to-title",
    "title-to-sid",
    "history-to-title",
    "titles-to-sid",
    "description-to-sid",
  ],

  *files(corpus: Corpus, { tokenOrder, rows: choice }: DatasetWriteOptions): Generator<NamedFile> {
    const { items, attachments } = corpus;
    const kept = Object.keys(attachments).find((path) => path.startsWith(`${PREFIX}/other/`));
    if (choice !== undefined && kept !== undefined) {
      throw new UserError(
        `Cannot choose rows of ${corpus.name}: it has rows that are kept as text (${kept}). Choose from the dataset that ` +
          "its rows were made of",
      );
    }
    const sids = needSids(corpus, "mimigenrec");
    yield ["id2sid.json", [formatIndex(sids, "indent4")]];
    yield ["new_tokens.json", [formatNewTokens(newTokens(sids, tokenOrder))]];
    if (items.some(({ title }) => title !== "")) yield ["item.json", [formatItems(items)]];
    for (const stage of STAGES) {
      for (const split of splits) {
        const rows = rowsOf(corpus, sids, stage, split, choice);
        if (rows.length > 0) yield [`${stage}/${split}.json`, jsonLines(rows)];
      }
    }
    yield ["dataset_info.json", [attachments[`${PREFIX}/dataset_info.json`] ?? datasetInfo(corpus)]];
  },

  leftOut: ({ items }) => ["who a sample's user is", ...brokenCategories(items)],
};

function rowsOf(
  corpus: Corpus,
  sids: string[][],
  stage: Stage,
  split: Split,
  choice?: RowChoice,
): (SftRow | RlRow)[] {
  const kept = corpus.attachments[`${PREFIX}/other/${stage}/${split}.json`];
  const others = kept === undefined
    ? otherRows(corpus, stage, split, choice).toArray()
    : z.array(z.union([SftRow, RlRow])).parse(JSON.parse(kept));
  const wordings: Wording[] = JSON.parse(corpus.attachments[`${PREFIX}/wordings.json`] ?? "[]");
  const asked = choice === undefined || isWritten(NEXT_ITEM, choice) ? corpus.samples[split] : [];
  const placed = asked.flatMap(({ history, target, attributes }, place) => {
    const rows = attributes?.mimigenrec as SampleRows | undefined;
    const found: RowPlace | null | undefined = rows?.[stage];
    if (found === null) return [];
    const { row = place, index = place, wording, verbatim } = found ?? {};
    if (verbatim !== undefined) return [{ row, content: verbatim }];
    const template = wording === undefined ? PROMPTS.next : wordings[wording];
    const text = history.map((item) => sids[item].join("")).join(", ");
    const filled = { ...template, input: fill(template.input, "history", text) };
    const answer = sids[target].join("");
    const content = stage === "sft"
      ? sftRow(filled, answer)
      : rlRow(filled, answer, { ...NEXT_SID, source: corpus.name, split, index });
    return [{ row, content }];
  }).sort((a, b) => a.row - b.row);
  // Rows of samples go where they stood, the others, in their order, in between.
  const merged: (SftRow | RlRow)[] = [];
  let next = 0;
  for (const { row, content } of placed) {
    while (merged.length < row && next < others.length) merged.push(others[next++]);
    merged.push(content);
  }
  return [...merged, ...others.slice(next)];
}

/** The text of `JSON.stringify(rows, null, 2)`, a row at a time. */
function* jsonLines(rows: readonly unknown[]): Generator<string> {
  yield "[\n";
  for (const [row, content] of rows.entries()) {
    const text = JSON.stringify(content, null, 2).replaceAll("\n", "\n  ");
    yield `  ${text}${row === rows.length - 1 ? "\n" : ",\n"}`;
  }
  yield "]\n";
}

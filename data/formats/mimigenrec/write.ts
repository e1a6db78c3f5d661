import { z } from "zod";
import { UserError } from "../../../base/user_error.ts";
import { type CorpusParts, rowsIn } from "../../corpus_parts.ts";
import { type Split, splits } from "../../dataset.ts";
import { formatNewTokens, indexPieces, newTokens } from "../index_file.ts";
import { itemPieces } from "../item_file.ts";
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
import { brokenCategories } from "../../convert/changed_text.ts";
import { needSids } from "../../convert/need_sids.ts";
import { ITEM_FIELDS } from "../../convert/fields.ts";
import type { SurveyedCorpus } from "../../convert/survey.ts";
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

  async *files(
    corpus: SurveyedCorpus,
    { tokenOrder, rows: choice }: DatasetWriteOptions,
  ): AsyncGenerator<NamedFile> {
    const { attachments } = corpus;
    const kept = Object.keys(attachments).find((path) => path.startsWith(`${PREFIX}/other/`));
    if (choice !== undefined && kept !== undefined) {
      throw new UserError(
        `Cannot choose rows of ${corpus.name}: it has rows that are kept as text (${kept}). Choose from the dataset that ` +
          "its rows were made of",
      );
    }
    const sids = needSids(corpus, "mimigenrec");
    yield ["id2sid.json", indexPieces(sids, "indent4")];
    yield ["new_tokens.json", [formatNewTokens(newTokens(sids, tokenOrder))]];
    const { catalogue } = await corpus.survey();
    if (catalogue.titles > 0) yield ["item.json", itemPieces(corpus.items())];
    for (const stage of STAGES) {
      for (const split of splits) {
        const rows = rowsOf(corpus, sids, stage, split, choice);
        const first = await rows.next();
        if (!first.done) yield [`${stage}/${split}.json`, jsonLines(first.value, rows)];
      }
    }
    yield ["dataset_info.json", [attachments[`${PREFIX}/dataset_info.json`] ?? datasetInfo(corpus)]];
  },

  leftOut: async (corpus) => ["who a sample's user is", ...await brokenCategories(corpus)],
};

type Row = SftRow | RlRow;

/** A row of a sample and where it stands in its file. */
interface PlacedRow {
  row: number;
  content: Row;
}

/** Rows of samples go where they stood, the others, in their order, in between. */
async function* rowsOf(
  corpus: SurveyedCorpus,
  sids: string[][],
  stage: Stage,
  split: Split,
  choice?: RowChoice,
): AsyncGenerator<Row> {
  const kept = corpus.attachments[`${PREFIX}/other/${stage}/${split}.json`];
  const others: AsyncIterator<Row> | Iterator<Row> = kept === undefined
    ? otherRows(corpus, stage, split, choice)
    : z.array(z.union([SftRow, RlRow])).parse(JSON.parse(kept)).values();
  let next = await others.next(), rows = 0;
  if (choice === undefined || isWritten(NEXT_ITEM, choice)) {
    for await (const { row, content } of await placedRows(corpus, sids, stage, split)) {
      for (; rows < row && !next.done; rows++, next = await others.next()) yield next.value;
      yield content;
      rows++;
    }
  }
  for (; !next.done; next = await others.next()) yield next.value;
}

/** Rows of samples in the order of their places, which is that of the samples unless those say another: then they are held. */
async function placedRows(
  corpus: SurveyedCorpus,
  sids: string[][],
  stage: Stage,
  split: Split,
): Promise<AsyncIterable<PlacedRow> | PlacedRow[]> {
  const rows = sampleRows(corpus, sids, stage, split);
  const { attributes } = await corpus.survey();
  if (!attributes[split].includes(PREFIX)) return rows;
  return (await Array.fromAsync(rows)).sort((a, b) => a.row - b.row);
}

async function* sampleRows(
  corpus: CorpusParts,
  sids: string[][],
  stage: Stage,
  split: Split,
): AsyncGenerator<PlacedRow> {
  const wordings: Wording[] = JSON.parse(corpus.attachments[`${PREFIX}/wordings.json`] ?? "[]");
  let place = -1;
  for await (const { history, target, attributes } of rowsIn(corpus.samples(split))) {
    place++;
    const rows = attributes?.mimigenrec as SampleRows | undefined;
    const found: RowPlace | null | undefined = rows?.[stage];
    if (found === null) continue;
    const { row = place, index = place, wording, verbatim } = found ?? {};
    if (verbatim !== undefined) {
      yield { row, content: verbatim };
      continue;
    }
    const template = wording === undefined ? PROMPTS.next : wordings[wording];
    const text = history.map((item) => sids[item].join("")).join(", ");
    const filled = { ...template, input: fill(template.input, "history", text) };
    const answer = sids[target].join("");
    const content = stage === "sft"
      ? sftRow(filled, answer)
      : rlRow(filled, answer, { ...NEXT_SID, source: corpus.name, split, index });
    yield { row, content };
  }
}

/** The text of `JSON.stringify([first, ...rows], null, 2)`, a row at a time. */
async function* jsonLines(first: unknown, rows: AsyncIterable<unknown>): AsyncGenerator<string> {
  const text = (row: unknown) => JSON.stringify(row, null, 2).replaceAll("\n", "\n  ");
  yield `[\n  ${text(first)}`;
  for await (const row of rows) yield `,\n  ${text(row)}`;
  yield "\n]\n";
}

import type { CorpusSample } from "../../corpus.ts";
import { rowsIn } from "../../corpus_parts.ts";
import { formatCsvLine } from "../../../base/files/csv_file.ts";
import { splits } from "../../dataset.ts";
import { indexPieces } from "../index_file.ts";
import { formatInfo } from "../info_file.ts";
import { sampleTablePieces } from "../inter_table.ts";
import { itemPieces } from "../item_file.ts";
import { formatListCell } from "../list_cell.ts";
import { COLUMNS, type RowAttributes } from "./rows.ts";
import { itemIdMap, userIdMap } from "../../convert/id_maps.ts";
import { brokenCategories, brokenTexts } from "../../convert/changed_text.ts";
import { ITEM_FIELDS } from "../../convert/fields.ts";
import type { SurveyedCorpus } from "../../convert/survey.ts";
import { TextColumn } from "../../convert/text_column.ts";
import type { DatasetWriter, NamedFile } from "../../convert/writer.ts";

/** MiniOneRec's files: with SIDs the CSV splits, index, items and info; without, the `.inter` splits and items. */
export const minionerecWriter: DatasetWriter = {
  name: "minionerec",
  holds: [
    "SIDs",
    ...ITEM_FIELDS,
    "item ids",
    "user ids",
    "which split a sample is in",
    "the order of samples",
    "sample attributes",
  ],

  async *files(corpus: SurveyedCorpus): AsyncGenerator<NamedFile> {
    const { sids } = corpus;
    const { catalogue, attributes } = await corpus.survey();
    const usersNamed = catalogue["ids unlike A1"] === 0;
    if (sids === undefined) {
      for (const split of splits) yield [`${split}.inter`, sampleTablePieces(corpus.samples(split))];
    } else {
      const joined = sids.map((sid) => sid.join(""));
      const titles = await TextColumn.of(corpus.items(), ({ title }) => title);
      const users = usersNamed ? await TextColumn.of(corpus.users(), ({ id }) => id) : undefined;
      const userId = (user: number) => users?.at(user) ?? `A${user}`;
      for (const split of splits) {
        const more = attributes[split].filter(isOther);
        yield [`${split}.csv`, csv(corpus.samples(split), more, { titles, joined, userId })];
      }
      yield ["index.json", indexPieces(sids, "compact")];
      yield ["info.txt", formatInfo(rowsIn(corpus.items()), joined)];
    }
    yield ["item.json", itemPieces(corpus.items())];
    if (sids === undefined || !usersNamed) yield* userIdMap(corpus);
    yield* itemIdMap(corpus);
    for (const [path, text] of Object.entries(corpus.attachments)) {
      if (path.startsWith("minionerec/")) yield [path.slice("minionerec/".length), [text]];
    }
  },

  async leftOut(corpus: SurveyedCorpus): Promise<string[]> {
    const { sids } = corpus;
    const { samples, attributes } = await corpus.survey();
    const empty = splits.filter((split) => samples[split] === 0);
    return [
      ...(sids === undefined && splits.some((split) => attributes[split].length > 0)
        ? ["sample attributes: there are no CSV splits without SIDs"]
        : []),
      ...(sids === undefined ? [] : await brokenTexts(corpus, ["titles"], "info.txt")),
      ...await brokenCategories(corpus),
      ...await brokenTexts(corpus, ["item ids"], "item2id"),
      ...await brokenTexts(corpus, ["user ids"], "user2id"),
      ...empty.map((split) =>
        `rows of ${split}, of which there are none, so that the directory will not load`
      ),
    ];
  },
};

/** What cells are filled from. */
interface Named {
  titles: TextColumn;
  /** Joined SIDs by item number. */
  joined: readonly string[];
  userId(user: number): string;
}

/** Rows with the columns of their attributes, `more`, at the end. */
async function* csv(
  samples: AsyncIterable<readonly CorpusSample[]>,
  more: readonly string[],
  { titles, joined, userId }: Named,
): AsyncGenerator<string> {
  yield formatCsvLine([...COLUMNS, ...more]);
  for await (const { user, history, target, attributes } of rowsIn(samples)) {
    const { titles: told } = (attributes?.minionerec ?? {}) as RowAttributes;
    yield formatCsvLine([
      userId(user),
      formatListCell(told?.history ?? history.map((item) => titles.at(item))),
      told?.target ?? titles.at(target),
      formatListCell(history),
      String(target),
      formatListCell(history.map((item) => joined[item])),
      joined[target],
      ...more.map((column) => cell(attributes?.[column])),
    ]);
  }
}

/** Attributes that mean something beyond a format. */
function isOther(attribute: string): boolean {
  return attribute !== "minionerec" && attribute !== "mimigenrec";
}

function cell(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}

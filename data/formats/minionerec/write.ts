import type { CorpusItem, CorpusSample } from "../../corpus.ts";
import { rowsIn } from "../../corpus_parts.ts";
import { formatCsvLine } from "../../../base/files/csv_file.ts";
import { splits } from "../../dataset.ts";
import { indexPieces } from "../index_file.ts";
import { formatInfo } from "../info_file.ts";
import { sampleTablePieces } from "../inter_table.ts";
import { brokenCategories, itemPieces } from "../item_file.ts";
import { formatListCell } from "../list_cell.ts";
import { COLUMNS, type RowAttributes } from "./rows.ts";
import { idMaps } from "../../convert/id_maps.ts";
import { brokenTexts } from "../../convert/changed_text.ts";
import { ITEM_FIELDS } from "../../convert/fields.ts";
import type { SurveyedCorpus } from "../../convert/survey.ts";
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
    const { items, users, sids } = corpus;
    const usersNamed = users.every(({ id }) => /^A\d+$/.test(id));
    if (sids === undefined) {
      for (const split of splits) yield [`${split}.inter`, sampleTablePieces(corpus.samples(split))];
    } else {
      const joined = sids.map((sid) => sid.join(""));
      const userId = usersNamed ? (user: number) => users[user].id : (user: number) => `A${user}`;
      const { attributes } = await corpus.survey();
      for (const split of splits) {
        const more = attributes[split].filter(isOther);
        yield [`${split}.csv`, csv(corpus.samples(split), more, { items, joined, userId })];
      }
      yield ["index.json", indexPieces(sids, "compact")];
      yield ["info.txt", formatInfo(items, joined)];
    }
    yield ["item.json", itemPieces(items)];
    yield* idMaps({ items, users: sids !== undefined && usersNamed ? [] : users });
    for (const [path, text] of Object.entries(corpus.attachments)) {
      if (path.startsWith("minionerec/")) yield [path.slice("minionerec/".length), [text]];
    }
  },

  async leftOut(corpus: SurveyedCorpus): Promise<string[]> {
    const { items, sids } = corpus;
    const { samples, attributes } = await corpus.survey();
    const empty = splits.filter((split) => samples[split] === 0);
    return [
      ...(sids === undefined && splits.some((split) => attributes[split].length > 0)
        ? ["sample attributes: there are no CSV splits without SIDs"]
        : []),
      ...(sids === undefined ? [] : brokenTexts(corpus, ["titles"], "info.txt")),
      ...brokenCategories(items),
      ...brokenTexts(corpus, ["item ids"], "item2id"),
      ...brokenTexts(corpus, ["user ids"], "user2id"),
      ...empty.map((split) =>
        `rows of ${split}, of which there are none, so that the directory will not load`
      ),
    ];
  },
};

/** What cells are filled from. */
interface Named {
  items: readonly CorpusItem[];
  /** Joined SIDs by item number. */
  joined: readonly string[];
  userId(user: number): string;
}

/** Rows with the columns of their attributes, `more`, at the end. */
async function* csv(
  samples: AsyncIterable<readonly CorpusSample[]>,
  more: readonly string[],
  { items, joined, userId }: Named,
): AsyncGenerator<string> {
  yield formatCsvLine([...COLUMNS, ...more]);
  for await (const { user, history, target, attributes } of rowsIn(samples)) {
    const { titles } = (attributes?.minionerec ?? {}) as RowAttributes;
    yield formatCsvLine([
      userId(user),
      formatListCell(titles?.history ?? history.map((item) => items[item].title)),
      titles?.target ?? items[target].title,
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

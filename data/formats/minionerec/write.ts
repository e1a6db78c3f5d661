import type { Attributes, Corpus, CorpusSample } from "../../corpus.ts";
import { formatCsvLine } from "../../../base/files/csv_file.ts";
import { splits } from "../../dataset.ts";
import { formatIndex } from "../index_file.ts";
import { formatInfo } from "../info_file.ts";
import { formatSampleTable } from "../inter_table.ts";
import { brokenCategories, formatItems } from "../item_file.ts";
import { formatListCell } from "../list_cell.ts";
import { COLUMNS, type RowAttributes } from "./rows.ts";
import { idMaps } from "../../convert/id_maps.ts";
import { brokenTexts } from "../../convert/changed_text.ts";
import { ITEM_FIELDS } from "../../convert/fields.ts";
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

  *files(corpus: Corpus): Generator<NamedFile> {
    const { items, users, samples, sids } = corpus;
    const usersNamed = users.every(({ id }) => /^A\d+$/.test(id));
    if (sids === undefined) {
      for (const split of splits) yield [`${split}.inter`, formatSampleTable(samples[split])];
    } else {
      const joined = sids.map((sid) => sid.join(""));
      const userId = usersNamed ? (user: number) => users[user].id : (user: number) => `A${user}`;
      for (const split of splits) yield [`${split}.csv`, csv(samples[split], items, joined, userId)];
      yield ["index.json", [formatIndex(sids, "compact")]];
      yield ["info.txt", formatInfo(items, joined)];
    }
    yield ["item.json", [formatItems(items)]];
    yield* idMaps({ items, users: sids !== undefined && usersNamed ? [] : users });
    for (const [path, text] of Object.entries(corpus.attachments)) {
      if (path.startsWith("minionerec/")) yield [path.slice("minionerec/".length), [text]];
    }
  },

  leftOut(corpus: Corpus): string[] {
    const { items, samples, sids } = corpus;
    const hasAttributes = splits.some((split) =>
      samples[split].some(({ attributes }) => attributes !== undefined)
    );
    const empty = splits.filter((split) => samples[split].length === 0);
    return [
      ...(sids === undefined && hasAttributes
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

function* csv(
  samples: readonly CorpusSample[],
  items: Corpus["items"],
  sids: readonly string[],
  userId: (user: number) => string,
): Generator<string> {
  const more = [...new Set(samples.flatMap(({ attributes }) => Object.keys(otherAttributes(attributes))))];
  yield formatCsvLine([...COLUMNS, ...more]);
  for (const { user, history, target, attributes } of samples) {
    const { titles } = (attributes?.minionerec ?? {}) as RowAttributes;
    const others = otherAttributes(attributes);
    yield formatCsvLine([
      userId(user),
      formatListCell(titles?.history ?? history.map((item) => items[item].title)),
      titles?.target ?? items[target].title,
      formatListCell(history),
      String(target),
      formatListCell(history.map((item) => sids[item])),
      sids[target],
      ...more.map((column) => cell(others[column])),
    ]);
  }
}

/** Attributes that mean something beyond a format. */
function otherAttributes({ minionerec: _, mimigenrec: __, ...others }: Attributes = {}): Attributes {
  return others;
}

function cell(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}

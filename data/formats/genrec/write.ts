import type { Attributes, CorpusItem, CorpusSample, CorpusUser, Interactions } from "../../corpus.ts";
import { type CorpusParts, type NumberedRows, numberedRows } from "../../corpus_parts.ts";
import { splits } from "../../dataset.ts";
import {
  ATTACHMENTS,
  DATASET_JSON,
  type DatasetJson,
  INTERACTION_TABLE,
  ITEM_TABLE,
  SAMPLE_TABLE,
  USER_TABLE,
} from "./layout.ts";
import { indexPieces } from "../index_file.ts";
import type { ParquetTable, TableType } from "../../../base/files/parquet/table.ts";
import { parquetPieces } from "../../../base/files/parquet/write.ts";
import { DatasetCounts, type DatasetTally } from "../../statistics.ts";
import { ALL_FIELDS } from "../../convert/fields.ts";
import type {
  DatasetWriteOptions,
  DatasetWriter,
  NamedFile,
  RowContent,
  WrittenFiles,
} from "../../convert/writer.ts";

/** Our directory holds everything. */
export const genrecWriter: DatasetWriter = {
  name: "genrec",
  holds: ALL_FIELDS,

  async *files(
    corpus: CorpusParts,
    { origin }: DatasetWriteOptions,
    written: WrittenFiles,
  ): AsyncGenerator<NamedFile> {
    const counts = new DatasetCounts(written.state as DatasetTally | undefined);
    written.state = counts.tally;
    yield* content(corpus, counts);
    const { name, source, license, split, maxHistory, sids } = corpus;
    const manifest: DatasetJson = {
      format: "genrec-dataset",
      version: 1,
      name,
      source,
      license,
      split,
      maxHistory,
      ...origin,
      files: written.hashes,
      statistics: { ...counts.statistics(sids) },
    };
    yield [DATASET_JSON, [JSON.stringify(manifest, null, 2) + "\n"]];
  },
};

/** Files and what is in them, counted as it goes by. */
function* content(corpus: CorpusParts, counts: DatasetCounts): Generator<NamedFile> {
  const { sids } = corpus;
  yield [
    "items.parquet",
    table(ITEM_TABLE, () => numberedRows(corpus.items()), (part) => {
      counts.addItems(part.rows);
      return itemRows(part);
    }),
  ];
  yield [
    "users.parquet",
    table(USER_TABLE, () => numberedRows(corpus.users()), (part) => {
      counts.addUsers(part.rows);
      return userRows(part);
    }),
  ];
  yield [
    "interactions.parquet",
    table(INTERACTION_TABLE, () => corpus.interactions(), (part) => {
      counts.addInteractions(part);
      return interactionRows(part);
    }),
  ];
  for (const split of splits) {
    yield [
      `${split}.parquet`,
      table(SAMPLE_TABLE, () => corpus.samples(split), (part) => {
        counts.addSamples(split, part);
        return sampleRows(part);
      }),
    ];
  }
  if (sids !== undefined) yield ["index.json", indexPieces(sids)];
  for (const [path, text] of Object.entries(corpus.attachments)) yield [`${ATTACHMENTS}/${path}`, [text]];
}

/** A table of parts, each of which `rows` puts into columns. */
function table<P, const T extends TableType>(
  type: T,
  parts: () => AsyncIterable<P>,
  rows: (part: P) => ParquetTable<T>,
): RowContent {
  return { piecesAfter: (state) => parquetPieces(type, columns(), state) };
  async function* columns() {
    for await (const part of parts()) yield rows(part);
  }
}

function itemRows({ first, rows: items }: NumberedRows<CorpusItem>): ParquetTable<typeof ITEM_TABLE> {
  return {
    item: items.map((_, row) => first + row),
    id: items.map(({ id }) => id),
    title: items.map(({ title }) => title),
    description: items.map(({ description }) => description ?? null),
    brand: items.map(({ brand }) => brand ?? null),
    categories: items.map(({ categories }) => categories),
    price: items.map(({ price }) => price ?? null),
    features: items.map(({ features }) => features ?? null),
    attributes: items.map(attributesCell),
  };
}

function userRows({ first, rows: users }: NumberedRows<CorpusUser>): ParquetTable<typeof USER_TABLE> {
  return {
    user: users.map((_, row) => first + row),
    id: users.map(({ id }) => id),
    attributes: users.map(attributesCell),
  };
}

function interactionRows(
  { users, items, times, ratings }: Interactions,
): ParquetTable<typeof INTERACTION_TABLE> {
  const known = (column: Float64Array | undefined) =>
    Array.from(users, (_, row) => column === undefined || Number.isNaN(column[row]) ? null : column[row]);
  return { user: [...users], item: [...items], time: known(times), rating: known(ratings) };
}

function sampleRows(samples: readonly CorpusSample[]): ParquetTable<typeof SAMPLE_TABLE> {
  return {
    user: samples.map(({ user }) => user),
    history: samples.map(({ history }) => history),
    item: samples.map(({ target }) => target),
    time: samples.map(({ time }) => time ?? null),
    attributes: samples.map(attributesCell),
  };
}

function attributesCell({ attributes }: { attributes?: Attributes }): string | null {
  return attributes === undefined ? null : JSON.stringify(attributes);
}

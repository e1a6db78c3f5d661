import { createHash } from "node:crypto";
import type { Attributes, Corpus, CorpusSample } from "../../corpus.ts";
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
import { formatIndex } from "../index_file.ts";
import { formatParquet } from "../../../base/files/parquet/write.ts";
import { statisticsOf } from "../../statistics.ts";
import { ALL_FIELDS } from "../../convert/fields.ts";
import type { DatasetWriteOptions, DatasetWriter, NamedFile } from "../../convert/writer.ts";

/** Our directory holds everything. */
export const genrecWriter: DatasetWriter = {
  name: "genrec",
  holds: ALL_FIELDS,

  *files(corpus: Corpus, { origin }: DatasetWriteOptions): Generator<NamedFile> {
    const hashes: Record<string, string> = {};
    for (const [path, bytes] of content(corpus)) {
      hashes[path] = createHash("sha256").update(bytes).digest("hex");
      yield [path, bytes];
    }
    const { name, source, license, split, maxHistory } = corpus;
    const manifest: DatasetJson = {
      format: "genrec-dataset",
      version: 1,
      name,
      source,
      license,
      split,
      maxHistory,
      ...origin,
      files: hashes,
      statistics: { ...statisticsOf(corpus) },
    };
    yield [DATASET_JSON, [JSON.stringify(manifest, null, 2) + "\n"]];
  },
};

function* content(corpus: Corpus): Generator<[path: string, bytes: Uint8Array]> {
  const { items, users, interactions: { users: buyers, items: bought, times, ratings }, samples, sids } =
    corpus;
  yield [
    "items.parquet",
    formatParquet(ITEM_TABLE, {
      item: [...items.keys()],
      id: items.map(({ id }) => id),
      title: items.map(({ title }) => title),
      description: items.map(({ description }) => description ?? null),
      brand: items.map(({ brand }) => brand ?? null),
      categories: items.map(({ categories }) => categories),
      price: items.map(({ price }) => price ?? null),
      features: items.map(({ features }) => features ?? null),
      attributes: items.map(attributesCell),
    }),
  ];
  yield [
    "users.parquet",
    formatParquet(USER_TABLE, {
      user: [...users.keys()],
      id: users.map(({ id }) => id),
      attributes: users.map(attributesCell),
    }),
  ];
  const known = (column: Float64Array | undefined) =>
    Array.from(buyers, (_, row) => column === undefined || Number.isNaN(column[row]) ? null : column[row]);
  yield [
    "interactions.parquet",
    formatParquet(INTERACTION_TABLE, {
      user: [...buyers],
      item: [...bought],
      time: known(times),
      rating: known(ratings),
    }),
  ];
  for (const split of splits) yield [`${split}.parquet`, samplesTable(samples[split])];
  const utf8 = new TextEncoder();
  if (sids !== undefined) yield ["index.json", utf8.encode(formatIndex(sids))];
  for (const [path, text] of Object.entries(corpus.attachments)) {
    yield [`${ATTACHMENTS}/${path}`, utf8.encode(text)];
  }
}

function samplesTable(samples: readonly CorpusSample[]): Uint8Array {
  return formatParquet(SAMPLE_TABLE, {
    user: samples.map(({ user }) => user),
    history: samples.map(({ history }) => history),
    item: samples.map(({ target }) => target),
    time: samples.map(({ time }) => time ?? null),
    attributes: samples.map(attributesCell),
  });
}

function attributesCell({ attributes }: { attributes?: Attributes }): string | null {
  return attributes === undefined ? null : JSON.stringify(attributes);
}

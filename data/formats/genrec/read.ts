import { parseAttributes } from "../../attributes.ts";
import type { Attributes, Corpus, CorpusItem, CorpusSample, CorpusUser, Interactions } from "../../corpus.ts";
import { type Split, splits } from "../../dataset.ts";
import { failAtOnce, type OnFault, orFault } from "../../../base/fault.ts";
import { badValue } from "../../../base/file_error.ts";
import { isInside } from "../../../base/files/file_name.ts";
import { fileNamed, filesBelow, findFile, otherFiles } from "../../../base/files/find_file.ts";
import type { DatasetFormat } from "../format.ts";
import {
  ATTACHMENTS,
  DATASET_JSON,
  DatasetJson,
  INTERACTION_TABLE,
  ITEM_TABLE,
  SAMPLE_TABLE,
  USER_TABLE,
} from "./layout.ts";
import { loadIndex } from "../index_file.ts";
import { readJson } from "../../../base/files/json_file.ts";
import { changed, ParquetReader } from "../../../base/files/parquet/read.ts";
import type { CorpusSizes } from "../../cost/sizes.ts";
import { type CatalogueSizes, type CorpusStream, joinInteractions, joinLists } from "../../corpus_stream.ts";
import type { ParquetTable, TableType } from "../../../base/files/parquet/table.ts";
import { sha256 } from "../../../base/files/sha256.ts";
import type { DatasetStatistics } from "../../statistics.ts";
import { readText } from "../../../base/files/text_file.ts";
import { UserError } from "../../../base/user_error.ts";

const MANIFEST = fileNamed(DATASET_JSON);
const INDEX = fileNamed("index.json");

/** Statistics that the tables must bear out. */
const COUNTS = ["users", "items", "interactions", "train", "valid", "test"] as const;

/** Our directory: Parquet tables beside a `dataset.json`, and an `index.json` where SIDs ship with the data. */
export const genrecFormat: DatasetFormat = {
  name: "genrec",
  layout: "dataset.json, items, users, interactions, train, valid and test .parquet, optionally index.json",

  async recognises(dir: string): Promise<boolean> {
    return await findFile(dir, MANIFEST) !== undefined;
  },

  async read(dir: string, onFault: OnFault = failAtOnce): Promise<Corpus> {
    using stream = await openStream(dir, onFault);
    const { name, source, license, split, maxHistory } = stream;
    const items = await joinLists(stream.items());
    const users = await joinLists(stream.users());
    const interactions = await joinInteractions(stream.interactions());
    const samples: Record<Split, CorpusSample[]> = { train: [], valid: [], test: [] };
    for (const split of splits) samples[split] = await joinLists(stream.samples(split));
    const rest = await stream.rest();
    return { name, source, license, split, maxHistory, items, users, interactions, samples, ...rest };
  },

  stream: (dir, onFault = failAtOnce) => openStream(dir, onFault),

  async sizes(dir: string): Promise<CorpusSizes> {
    const { split } = await readJson(`${dir}/${DATASET_JSON}`, DatasetJson);
    using reader = new ParquetReader();
    const ask = (table: string) => reader.sizes(`${dir}/${table}.parquet`);
    const rows = async (table: string) => (await ask(table)).rows;
    const samples = { train: 0, valid: 0, test: 0 }, historyItems = { ...samples };
    for (const split of splits) {
      const { rows, values: { history = 0 } } = await ask(split);
      [samples[split], historyItems[split]] = [rows, history];
    }
    const [items, users] = [await rows("items"), await rows("users")];
    return { split, items, users, interactions: await rows("interactions"), samples, historyItems };
  },

  async verify(dir: string, counted: DatasetStatistics, onFault: OnFault): Promise<void> {
    const path = `${dir}/${DATASET_JSON}`;
    const { files, statistics } = await readJson(path, DatasetJson);
    for (const [file, stated] of Object.entries(files)) {
      if (TABLES.includes(file)) continue; // read() compares those before it decodes them
      if (!isInside(file)) {
        onFault(badValue({ path: `${path} at ["files"]` }, "paths inside the directory", file));
        continue;
      }
      const found = await sha256(`${dir}/${file}`).catch(() => undefined);
      if (found === stated) continue;
      onFault(
        found === undefined
          ? new UserError(
            `Cannot read ${dir}/${file}: expected the file that ${DATASET_JSON} lists, found nothing. Make the dataset again`,
          )
          : changed(`${dir}/${file}`, stated, found, DATASET_JSON),
      );
    }
    for (const count of COUNTS) {
      const stated = statistics[count];
      if (stated === undefined || stated === counted[count]) continue;
      onFault(
        badValue({ path: `${path} at ["statistics"]["${count}"]` }, `${counted[count]} as counted`, stated),
      );
    }
  },
};

const TABLES = ["items", "users", "interactions", ...splits].map((table) => `${table}.parquet`);

async function openStream(dir: string, onFault: OnFault): Promise<CorpusStream> {
  const { name, source, license, split, maxHistory, files: hashes, statistics } = await readJson(
    `${dir}/${DATASET_JSON}`,
    DatasetJson,
  );
  const reader = new ParquetReader();
  const rows = new Map<string, Promise<number>>();
  const rowsOf = (table: string) =>
    rows.getOrInsertComputed(table, async () => (await reader.sizes(`${dir}/${table}.parquet`)).rows);
  const sizesOf = async () => ({ items: await rowsOf("items"), users: await rowsOf("users") });
  const parts = <const T extends TableType>(name: string, type: T, from?: number) =>
    tableParts(reader, dir, name, type, hashes, onFault, from);
  const stated = COUNTS.flatMap((count) => {
    const rows = statistics[count];
    return typeof rows === "number" ? [[count, rows]] : [];
  });
  return {
    name,
    source,
    license,
    split,
    maxHistory,
    rows: Object.fromEntries(stated),
    tableFiles: [DATASET_JSON, ...TABLES].map((file) => `${dir}/${file}`),
    sizes: sizesOf,
    async *items() {
      for await (const part of parts("items", ITEM_TABLE)) yield readItems(part, onFault);
    },
    async *users() {
      for await (const part of parts("users", USER_TABLE)) yield readUsers(part, onFault);
    },
    async *interactions(before) {
      const sizes = await sizesOf();
      for await (const part of parts("interactions", INTERACTION_TABLE, before?.parts)) {
        yield readInteractions(part, sizes, onFault);
      }
    },
    async *samples(split, before) {
      const sizes = await sizesOf();
      for await (const part of parts(split, SAMPLE_TABLE, before?.parts)) {
        yield readSamples(part, sizes, onFault);
      }
    },
    rest: async () => readRest(dir, await rowsOf("items")),
    [Symbol.dispose]: () => reader[Symbol.dispose](),
  };
}

/** What lies beside the tables. */
async function readRest(
  dir: string,
  items: number,
): Promise<Pick<Corpus, "sids" | "attachments" | "files" | "unread">> {
  const indexPath = await findFile(dir, INDEX);
  const sids = indexPath === undefined ? undefined : await loadIndex(indexPath, items);
  const files = [
    `${dir}/${DATASET_JSON}`,
    ...TABLES.map((file) => `${dir}/${file}`),
    ...(indexPath === undefined ? [] : [indexPath]),
  ];
  const attachments: Record<string, string> = {};
  for (const path of await filesBelow(`${dir}/${ATTACHMENTS}`)) {
    attachments[path] = await readText(`${dir}/${ATTACHMENTS}/${path}`);
    files.push(`${dir}/${ATTACHMENTS}/${path}`);
  }
  return { ...(sids && { sids }), attachments, files, unread: await otherFiles(dir, files) };
}

/** Rows of a table. */
interface TablePart<T extends TableType> {
  path: string;
  /** Number of the first. */
  first: number;
  table: ParquetTable<T>;
}

/**
 * A table in parts, from one of them on, compared with its hash in `dataset.json` before it is decoded. Whoever begins behind
 * the first was told of a hash that differs before.
 */
async function* tableParts<const T extends TableType>(
  reader: ParquetReader,
  dir: string,
  name: string,
  type: T,
  hashes: Record<string, string>,
  onFault: OnFault,
  from = 0,
): AsyncGenerator<TablePart<T>> {
  const file = `${name}.parquet`, path = `${dir}/${file}`;
  const sha256 = Object.hasOwn(hashes, file) ? hashes[file] : undefined;
  const stated = sha256 === undefined ? undefined : {
    sha256,
    by: DATASET_JSON,
    onFault: from === 0 ? onFault : () => {},
  };
  const before = from === 0 ? [] : (await reader.sizes(path)).groups.slice(0, from);
  let first = before.reduce((sum, rows) => sum + rows, 0);
  for await (const table of reader.groups(path, type, stated, from)) {
    yield { path, first, table };
    first += Object.values(table)[0].length;
  }
}

/** The number in each row must be the row's own. */
function checkNumbers(
  { path, first }: { path: string; first: number },
  column: string,
  numbers: readonly number[],
  onFault: OnFault,
) {
  const wrong = numbers.findIndex((number, i) => number !== first + i);
  if (wrong < 0) return;
  const row = first + wrong;
  const fix = "Number them from 0 without gaps, in order";
  onFault(badValue({ path, column }, `${row} in row ${row}`, numbers[wrong], fix));
}

function readItems(part: TablePart<typeof ITEM_TABLE>, onFault: OnFault): CorpusItem[] {
  const { path, first, table } = part;
  checkNumbers(part, "item", table.item, onFault);
  return table.id.map((id, row) => {
    const item: CorpusItem = { id, title: table.title[row] ?? "", categories: table.categories[row] ?? [] };
    for (const field of ["description", "brand", "features"] as const) {
      const text = table[field][row];
      if (text !== null && text !== "") item[field] = text;
    }
    const price = table.price[row];
    if (price !== null) item.price = price;
    const attributes = orFault(onFault, () => attributesIn(path, first + row, table.attributes[row]));
    return attributes ? { ...item, attributes } : item;
  });
}

function readUsers(part: TablePart<typeof USER_TABLE>, onFault: OnFault): CorpusUser[] {
  const { path, first, table } = part;
  checkNumbers(part, "user", table.user, onFault);
  return table.id.map((id, row) => {
    const attributes = orFault(onFault, () => attributesIn(path, first + row, table.attributes[row]));
    return attributes ? { id, attributes } : { id };
  });
}

function readInteractions(
  { path, first, table }: TablePart<typeof INTERACTION_TABLE>,
  sizes: CatalogueSizes,
  onFault: OnFault,
): Interactions {
  const rows: number[] = [];
  for (const [row, user] of table.user.entries()) {
    const sound = orFault(onFault, () => {
      checkNumber(path, first + row, "user", user, sizes.users);
      checkNumber(path, first + row, "item", table.item[row], sizes.items);
      return true;
    });
    if (sound) rows.push(row);
  }
  const numbers = (column: (number | null)[]) =>
    column.some((value) => value !== null) ? Float64Array.from(rows, (row) => column[row] ?? NaN) : undefined;
  const times = numbers(table.time), ratings = numbers(table.rating);
  return {
    users: Int32Array.from(rows, (row) => table.user[row]),
    items: Int32Array.from(rows, (row) => table.item[row]),
    ...(times && { times }),
    ...(ratings && { ratings }),
  };
}

function readSamples(
  { path, first, table }: TablePart<typeof SAMPLE_TABLE>,
  sizes: CatalogueSizes,
  onFault: OnFault,
): CorpusSample[] {
  return table.user.flatMap((user, row) =>
    orFault(onFault, () => {
      const history = table.history[row], target = table.item[row];
      checkNumber(path, first + row, "user", user, sizes.users);
      checkNumber(path, first + row, "item", target, sizes.items);
      for (const item of history) checkNumber(path, first + row, "history", item, sizes.items);
      const sample: CorpusSample = { user, history, target };
      const time = table.time[row];
      if (time !== null) sample.time = time;
      const attributes = attributesIn(path, first + row, table.attributes[row]);
      return attributes === undefined ? sample : { ...sample, attributes };
    }) ?? []
  );
}

function checkNumber(path: string, row: number, column: string, value: number, count: number) {
  if (value >= 0 && value < count) return;
  throw badValue(
    { path: `${path} row ${row}`, column },
    `a number from 0 to ${count - 1}`,
    value,
    "Write it again",
  );
}

function attributesIn(path: string, row: number, text: string | null): Attributes | undefined {
  return text === null ? undefined : parseAttributes(text, { path: `${path} row ${row}` });
}

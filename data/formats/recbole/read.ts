import { parseAttributes } from "../../attributes.ts";
import { type AtomicFile, type AtomicRow, numberCell, otherCells, readAtomic } from "../recbole_table.ts";
import type { Attributes, Corpus, CorpusItem, CorpusSample, CorpusUser } from "../../corpus.ts";
import { type Split, splits } from "../../dataset.ts";
import { failAtOnce, type OnFault, orFault } from "../../../base/fault.ts";
import { badValue } from "../../../base/file_error.ts";
import { type FileRole, findFile, otherFiles, requireFile } from "../../../base/files/find_file.ts";
import type { DatasetFormat } from "../format.ts";
import { numberOf } from "../../ids.ts";
import { loadSampleTable } from "../inter_table.ts";
import { interactionsOf, longestHistory, splitKindOf } from "../../interactions.ts";
import { parseStringCell } from "../list_cell.ts";
import { readLog, samplesOfLog } from "./log.ts";

/** Longest history of RecBole's sequential models (MAX_ITEM_LIST_LENGTH). */
export const MAX_ITEM_LIST_LENGTH = 50;

/** Columns of an `.item` file that have a field of ours. */
const ITEM_COLUMNS = [
  "item_id",
  "title",
  "brand",
  "categories",
  "price",
  "description",
  "features",
  "attributes",
];

/** What published `.item` files call a title, besides `title`. */
const TITLES = ["movie_title", "product_title", "name"];

function role(suffix: string): FileRole {
  return {
    layout: `*.${suffix}`,
    folders: [""],
    fits: (name) =>
      name.endsWith(`.${suffix}`) && (suffix !== "inter" || !/\.(train|valid|test)\.inter$/.test(name)),
  };
}

/**
 * RecBole's atomic files: `.inter` with a line an interaction, `.item`, `.user`; or a benchmark's `.train.inter`,
 * `.valid.inter` and `.test.inter` with a line a sample. Source: RecBole (arXiv:2011.01731), its atomic files.
 */
export const recboleFormat: DatasetFormat = {
  name: "RecBole",
  layout: "*.inter (or *.train.inter, *.valid.inter, *.test.inter), optionally *.item, *.user",

  async recognises(dir: string): Promise<boolean> {
    return await findFile(dir, role("inter")) !== undefined ||
      await findFile(dir, role("train.inter")) !== undefined;
  },

  async read(dir: string, onFault: OnFault = failAtOnce): Promise<Corpus> {
    const itemPath = await findFile(dir, role("item")), userPath = await findFile(dir, role("user"));
    const itemFile = itemPath && await readAtomic(itemPath, ["item_id"], onFault);
    const userFile = userPath && await readAtomic(userPath, ["user_id"], onFault);
    if (itemFile) refuseRepeats(itemFile, "item_id", onFault);
    if (userFile) refuseRepeats(userFile, "user_id", onFault);
    const interPath = await findFile(dir, role("inter"));
    const numbers = new Map<string, number>();
    for (const { cells } of itemFile ? itemFile.rows : []) numberOf(numbers, cells.item_id);
    const log = interPath === undefined
      ? await readBenchmark(dir, numbers, onFault)
      : await readInteractions(interPath, numbers, onFault);
    const { users, unread, interactions, samples, split, maxHistory } = log;
    const files = [...log.files, itemPath, userPath].filter((path) => path !== undefined);
    return {
      name: files[0].split("/").at(-1)!.replace(/(\.train)?\.inter$/, ""),
      source: "RecBole atomic files",
      license: "that of the original data",
      split,
      maxHistory,
      items: itemsOf([...numbers.keys()], itemFile || undefined, onFault),
      users: usersOf(users, userFile || undefined, onFault),
      interactions,
      samples,
      attachments: {},
      files,
      unread: [...unread, ...await otherFiles(dir, files)],
    };
  },
};

/** A table of items or users has a line for each: of two, nothing says which counts. */
function refuseRepeats({ rows }: AtomicFile, column: string, onFault: OnFault): void {
  const lines = new Map<string, number>();
  for (const { cells, place } of rows) {
    const earlier = lines.get(cells[column]);
    if (earlier === undefined) lines.set(cells[column], place.line!);
    else {
      const fix = `It stands in line ${earlier} already: remove one`;
      onFault(badValue({ ...place, column }, "each id once", cells[column], fix));
    }
  }
}

type LogParts = Pick<Corpus, "interactions" | "samples" | "split" | "maxHistory" | "files" | "unread"> & {
  users: string[];
};

async function readInteractions(
  path: string,
  items: Map<string, number>,
  onFault: OnFault,
): Promise<LogParts> {
  const log = await readLog(path, items, onFault);
  const { users, interactions, unread } = log;
  return {
    users,
    interactions,
    unread,
    files: [path],
    maxHistory: MAX_ITEM_LIST_LENGTH,
    ...samplesOfLog(log, MAX_ITEM_LIST_LENGTH),
  };
}

async function readBenchmark(dir: string, items: Map<string, number>, onFault: OnFault): Promise<LogParts> {
  const users = new Map<string, number>();
  const numbers = { user: (id: string) => numberOf(users, id), item: (id: string) => numberOf(items, id) };
  const samples: Record<Split, CorpusSample[]> = { train: [], valid: [], test: [] };
  const files: string[] = [];
  for (const split of splits) {
    files.push(await requireFile(dir, role(`${split}.inter`)));
    samples[split] = await loadSampleTable(files.at(-1)!, numbers, onFault);
  }
  return {
    users: [...users.keys()],
    interactions: interactionsOf(samples),
    samples,
    split: splitKindOf(samples),
    maxHistory: longestHistory(samples),
    files,
    unread: [],
  };
}

function itemsOf(ids: readonly string[], file: AtomicFile | undefined, onFault: OnFault): CorpusItem[] {
  const rows = new Map(file?.rows.map((row) => [row.cells.item_id, row]));
  const titleColumn = ["title", ...TITLES].find((column) => file?.columns.includes(column));
  return ids.map((id) => {
    const item: CorpusItem = { id, title: "", categories: [] };
    const row = rows.get(id);
    if (row === undefined) return item;
    const { cells } = row;
    if (titleColumn !== undefined) item.title = cells[titleColumn];
    for (const field of ["brand", "description", "features"] as const) {
      if (cells[field]) item[field] = cells[field];
    }
    if (cells.categories) item.categories = categoriesIn(cells.categories);
    const price = orFault(onFault, () => numberCell(row, "price"));
    if (price !== undefined) item.price = price;
    return { ...item, ...orFault(onFault, () => attributesIn(file!, row, ITEM_COLUMNS)) };
  });
}

function usersOf(ids: readonly string[], file: AtomicFile | undefined, onFault: OnFault): CorpusUser[] {
  const rows = new Map(file?.rows.map((row) => [row.cells.user_id, row]));
  return ids.map((id) => {
    const row = rows.get(id);
    return { id, ...(row && orFault(onFault, () => attributesIn(file!, row, ["user_id", "attributes"]))) };
  });
}

/** Attributes of a row: its JSON, and columns that have no field of ours. */
function attributesIn(
  file: AtomicFile,
  row: AtomicRow,
  known: readonly string[],
): { attributes?: Attributes } {
  const json = row.cells.attributes;
  const others = otherCells(file, row, known);
  if (!json && others === undefined) return {};
  return { attributes: { ...json && parseAttributes(json, row.place), ...(others && { recbole: others }) } };
}

/** Categories quoted as in RecBole's Amazon files, `'Tools', 'Tape & Glue'`, or words between spaces. */
function categoriesIn(text: string): string[] {
  try {
    return parseStringCell(`[${text}]`);
  } catch {
    return text.split(" ").filter((word) => word !== "");
  }
}

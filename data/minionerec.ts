import { type CsvRow, readCsv } from "./csv_file.ts";
import { type Dataset, type DatasetFormat, type Item, type Sample, type Split, splits } from "./dataset.ts";
import { badValue, excerpt } from "./file_error.ts";
import { type FileRole, findFile, requireFile } from "./find_file.ts";
import { chainHistories } from "./histories.ts";
import { loadIndex } from "./index_file.ts";
import { type InfoItem, loadInfo } from "./info_file.ts";
import { loadItems } from "./item_file.ts";
import { parseIntegerCell, parseStringCell } from "./list_cell.ts";
import { UserError } from "./user_error.ts";

const COLUMNS = [
  "user_id",
  "history_item_title",
  "item_title",
  "history_item_id",
  "item_id",
  "history_item_sid",
  "item_sid",
] as const;
type Row = CsvRow<typeof COLUMNS[number]>;

const INDEX: FileRole = {
  layout: "index.json or *.index.json",
  folders: ["", "index"],
  fits: (name) => name === "index.json" || name.endsWith(".index.json"),
};
const ITEMS: FileRole = {
  layout: "item.json or *.item.json",
  folders: ["", "index"],
  fits: (name) => name === "item.json" || name.endsWith(".item.json"),
};
const INFO: FileRole = {
  layout: "info.txt, *.info.txt or info/*.txt",
  folders: ["", "info"],
  fits: (name, folder) =>
    folder === "info" ? name.endsWith(".txt") : name === "info.txt" || name.endsWith(".info.txt"),
};

function splitRole(split: Split): FileRole {
  const name = new RegExp(`(^|[._-])${split}([._-].*)?\\.csv$`);
  return {
    layout: `${split}.csv, *${split}*.csv or ${split}/*.csv`,
    folders: ["", split],
    fits: (file, folder) => folder === split ? file.endsWith(".csv") : name.test(file),
  };
}

/**
 * MiniOneRec's directory of CSV splits, index, items and info: one row a target, its history a window of at most
 * ten items, split by time over all users. Source: the files of MiniOneRec (arXiv:2510.24431).
 */
export const minionerec: DatasetFormat = {
  name: "MiniOneRec",
  layout: "train, valid and test .csv, index.json, item.json, info.txt",

  async recognises(dir: string): Promise<boolean> {
    const found = await Promise.all([...splits.map(splitRole), INFO].map((role) => findFile(dir, role)));
    return found.some((path) => path !== undefined);
  },

  async load(dir: string): Promise<Dataset> {
    const csv = await Promise.all(splits.map((split) => requireFile(dir, splitRole(split))));
    const catalogue = await loadCatalogue(dir);
    const samples: Record<Split, Sample[]> = { train: [], valid: [], test: [] };
    for (const [s, split] of splits.entries()) {
      const rows = await readCsv(csv[s], COLUMNS);
      if (rows.length === 0) {
        throw new UserError(
          `Cannot read ${csv[s]}: expected at least one row, found none. Re-export the split`,
        );
      }
      const sids = catalogue.sids.map((sid) => sid.join(""));
      samples[split] = rows.map((row) => toSample(row, csv[s], sids));
    }
    return {
      name: catalogue.name,
      source: "MiniOneRec export of Amazon reviews (McAuley lab)",
      license: "published for research; item text belongs to its sellers",
      items: catalogue.items,
      samples,
      histories: chainHistories(samples.train),
      sids: catalogue.sids,
      files: [...csv, ...catalogue.files],
    };
  },
};

interface Catalogue {
  name: string;
  items: Item[];
  sids: string[][];
  files: string[];
}

/** Items and SIDs. The info file alone has both; with the other two present it must agree with them. */
async function loadCatalogue(dir: string): Promise<Catalogue> {
  const infoPath = await findFile(dir, INFO);
  const find = infoPath === undefined ? requireFile : findFile;
  const itemPath = await find(dir, ITEMS);
  const indexPath = await find(dir, INDEX);
  const info = infoPath === undefined ? undefined : await loadInfo(infoPath);
  const items = itemPath === undefined ? info!.map(({ title }) => ({ title })) : await loadItems(itemPath);
  if (items.length === 0) {
    throw new UserError(
      `Cannot read ${itemPath ?? infoPath}: expected items, found none. Re-export the file`,
    );
  }
  if (info !== undefined && info.length !== items.length) {
    throw new UserError(
      `Cannot read ${infoPath}: expected ${items.length} items as in ${itemPath}, found ${info.length}. ` +
        `Use files of one export`,
    );
  }
  const sids = indexPath === undefined
    ? info!.map(({ sid }) => sid)
    : await loadIndex(indexPath, items.length);
  if (info !== undefined && indexPath !== undefined) checkInfo(info, infoPath!, sids, indexPath);
  const stem = itemPath?.match(/([^/]+)\.item\.json$/)?.[1];
  return {
    name: stem ?? dir.replace(/\/+$/, "").split("/").at(-1)!,
    items,
    sids,
    files: [indexPath, itemPath, infoPath].filter((path) => path !== undefined),
  };
}

function checkInfo(info: InfoItem[], infoPath: string, sids: string[][], indexPath: string) {
  for (const [item, { sid, line }] of info.entries()) {
    const expected = sids[item].join("");
    if (sid.join("") !== expected) {
      throw badValue(
        { path: infoPath, line, column: "1 (SID)" },
        `${expected} as ${indexPath} has for item ${item}`,
        sid.join(""),
        "Use files of one export",
      );
    }
  }
}

function toSample({ line, cells }: Row, path: string, sids: string[]): Sample {
  const listCell = <T>(column: keyof Row["cells"], parse: (text: string) => T[], example: string) => {
    try {
      return parse(cells[column]);
    } catch (error) {
      const fix = `Parsing stopped: ${(error as Error).message}. Fix or re-export the file`;
      throw badValue({ path, line, column }, `a list such as ${example}`, cells[column], fix);
    }
  };
  const checkItem = (item: number, column: string) => {
    if (Number.isInteger(item) && item >= 0 && item < sids.length) return;
    throw badValue(
      { path, line, column },
      `an item number from 0 to ${sids.length - 1}`,
      item,
      "Use the items and splits of one export",
    );
  };
  const checkSid = (sid: string, item: number, column: string) => {
    if (sid === sids[item]) return;
    throw badValue(
      { path, line, column },
      `${sids[item]} as the index has for item ${item}`,
      sid,
      "Use files of one export; to train on other SIDs, pass them as a separate index",
    );
  };

  if (cells.user_id === "") throw badValue({ path, line, column: "user_id" }, "a user", "");
  if (!/^\d+$/.test(cells.item_id)) {
    throw badValue({ path, line, column: "item_id" }, "an item number", cells.item_id);
  }
  const target = Number(cells.item_id);
  checkItem(target, "item_id");
  checkSid(cells.item_sid, target, "item_sid");

  const history = listCell("history_item_id", parseIntegerCell, "[1, 2]");
  const historySids = listCell("history_item_sid", parseStringCell, "['<a_1><b_2>', '<a_3><b_4>']");
  const titles = listCell("history_item_title", parseStringCell, "['Tape', 'Glue']");
  for (const [column, list] of [["history_item_sid", historySids], ["history_item_title", titles]] as const) {
    if (list.length !== history.length) {
      throw new UserError(
        `Cannot read ${path} line ${line}, column ${column}: expected ${history.length} entries as in ` +
          `history_item_id, found ${list.length} (${excerpt(cells[column])}). Fix or re-export the file`,
      );
    }
  }
  for (const [i, item] of history.entries()) {
    checkItem(item, "history_item_id");
    checkSid(historySids[i], item, "history_item_sid");
  }
  return { user: cells.user_id, history, target };
}

import { basename } from "node:path";
import type { Corpus, CorpusItem, CorpusSample, CorpusUser } from "../../corpus.ts";
import { readCsv } from "../../../base/files/csv_file.ts";
import { type Split, splits } from "../../dataset.ts";
import { failAtOnce, type OnFault, orFault } from "../../../base/fault.ts";
import { badValue } from "../../../base/file_error.ts";
import {
  fileEnding,
  type FileRole,
  filesOf,
  findFile,
  folderName,
  otherFiles,
  requireFile,
} from "../../../base/files/find_file.ts";
import type { DatasetFormat } from "../format.ts";
import { loadIdMap } from "../id_map_file.ts";
import { loadIndex } from "../index_file.ts";
import { type InfoItem, loadInfo } from "../info_file.ts";
import { itemNumber, loadSampleTable } from "../inter_table.ts";
import { interactionsOf, longestHistory, splitKindOf } from "../../interactions.ts";
import { loadItems } from "../item_file.ts";
import { type NarrowRoles, rolesIn, treeOf } from "./categories.ts";
import { COLUMNS, toSample } from "./rows.ts";
import { readText } from "../../../base/files/text_file.ts";
import { UserError } from "../../../base/user_error.ts";

const INDEX = fileEnding("index.json", ["", "index"]);
const ITEMS = fileEnding("item.json", ["", "index"]);
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

function interRole(split: Split): FileRole {
  return fileEnding(`${split}.inter`);
}

/** Further indexes, reviews and full sequences are kept as text. */
const KEPT_AS_TEXT = /(^|\.)(index\..+|review|inter)\.json$/;

/**
 * MiniOneRec's directory of CSV splits, index, items and info: one row a target, its history a window of at most
 * ten items, split by time over all users. Before SIDs exist, its `.inter` splits and items. Source: the files of
 * MiniOneRec (arXiv:2510.24431).
 */
export const minionerecFormat: DatasetFormat = {
  name: "MiniOneRec",
  layout:
    "train, valid and test .csv, index.json, item.json, info.txt; or train, valid and test .inter, item.json",

  async recognises(data: string): Promise<boolean> {
    const { dir } = await treeOf(data);
    const has = async (role: FileRole) => (await filesOf(dir, role)).length > 0;
    const found = await Promise.all([...splits.map(splitRole), INFO].map(has));
    return found.includes(true) || await has(interRole("train")) && await has(ITEMS);
  },

  async read(data: string, onFault: OnFault = failAtOnce): Promise<Corpus> {
    const tree = await treeOf(data), { dir } = tree;
    const roles = await rolesIn(tree, [
      ...splits.map(splitRole),
      ...splits.map(interRole),
      ITEMS,
      INDEX,
      INFO,
    ]);
    const { narrow, isOurs } = roles;
    const asCsv = await findFile(dir, narrow(splitRole("train"))) !== undefined ||
      await findFile(dir, narrow(interRole("train"))) === undefined;
    const role = asCsv ? splitRole : interRole;
    const paths = await Promise.all(splits.map((split) => requireFile(dir, narrow(role(split)))));
    const catalogue = await loadCatalogue(dir, asCsv, roles);
    const users = await loadUsers(dir, roles);
    const samples: Record<Split, CorpusSample[]> = { train: [], valid: [], test: [] };
    for (const [s, split] of splits.entries()) {
      samples[split] = asCsv
        ? await loadCsv(paths[s], catalogue, users, onFault)
        : await loadSampleTable(paths[s], {
          user: users.number,
          item: (id, place) => itemNumber(id, place, catalogue.items.length),
        }, onFault);
      if (samples[split].length === 0) {
        onFault(
          new UserError(
            `Cannot read ${paths[s]}: expected at least one row, found none. Re-export the split`,
          ),
        );
      }
    }
    const files = [...paths, ...catalogue.files, ...users.files];
    const others = (await otherFiles(dir, files)).filter((name) => isOurs(basename(name)));
    const kept = others.filter((name) => KEPT_AS_TEXT.test(name));
    const attachments: Record<string, string> = {};
    for (const name of kept) attachments[`minionerec/${name}`] = await readText(`${dir}/${name}`);
    return {
      name: catalogue.name,
      source: "files in the form of MiniOneRec; where their data comes from they do not say",
      license: "that of the original data",
      split: splitKindOf(samples),
      maxHistory: longestHistory(samples),
      items: catalogue.items,
      users: users.list,
      interactions: interactionsOf(samples),
      samples,
      ...(catalogue.sids && { sids: catalogue.sids }),
      attachments,
      files,
      unread: others.filter((name) => !KEPT_AS_TEXT.test(name)),
    };
  },
};

async function loadCsv(
  path: string,
  { items, sids }: Catalogue,
  users: Users,
  onFault: OnFault,
): Promise<CorpusSample[]> {
  const joined = sids!.map((sid) => sid.join(""));
  const context = { path, items, sids: joined, userNumber: users.number };
  const rows = await readCsv(path, COLUMNS);
  return rows.flatMap((row) => orFault(onFault, () => toSample(row, context)) ?? []);
}

interface Users {
  list: CorpusUser[];
  files: string[];
  /** The number of a user id in a split. */
  number(id: string): number;
}

/** Users by first appearance, under their id in the splits; with a `user2id`, as that numbers and names them. */
async function loadUsers(dir: string, { narrow }: NarrowRoles): Promise<Users> {
  const map = await loadIdMap(dir, "user2id", narrow);
  const list = map?.ids.map((id) => ({ id })) ?? [];
  const numbers = new Map<string, number>();
  return {
    list,
    files: map === undefined ? [] : [map.path],
    number(id) {
      if (map !== undefined) {
        const number = Number(id.replace(/^A/, ""));
        if (list[number] !== undefined) return number;
        throw badValue(
          { path: map.path },
          `a line for every user of the splits`,
          id,
          "Use files of one export",
        );
      }
      let number = numbers.get(id);
      if (number === undefined) {
        number = list.push({ id }) - 1;
        numbers.set(id, number);
      }
      return number;
    },
  };
}

interface Catalogue {
  name: string;
  items: CorpusItem[];
  /** There are always SIDs beside CSV splits. */
  sids?: string[][];
  files: string[];
}

/** Items and SIDs. The info file alone has both; with the other two present it must agree with them. */
async function loadCatalogue(
  dir: string,
  needsSids: boolean,
  { narrow }: NarrowRoles,
): Promise<Catalogue> {
  const infoPath = await findFile(dir, narrow(INFO));
  const itemPath = await (infoPath === undefined ? requireFile : findFile)(dir, narrow(ITEMS));
  const indexPath = await (infoPath === undefined && needsSids ? requireFile : findFile)(dir, narrow(INDEX));
  const info = infoPath === undefined ? undefined : await loadInfo(infoPath);
  const items = itemPath === undefined
    ? info!.map(({ title }, item) => ({ id: String(item), title, categories: [] }))
    : await loadItems(itemPath);
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
  const map = await loadIdMap(dir, "item2id", narrow);
  if (map !== undefined) {
    if (map.ids.length !== items.length) {
      throw badValue(
        { path: map.path },
        `${items.length} items as in ${itemPath ?? infoPath}`,
        map.ids.length,
      );
    }
    for (const [item, id] of map.ids.entries()) items[item].id = id;
  }
  const sids = indexPath === undefined
    ? info?.map(({ sid }) => sid)
    : await loadIndex(indexPath, items.length);
  if (info !== undefined && indexPath !== undefined) checkInfo(info, infoPath!, sids!, indexPath);
  const stem = itemPath?.match(/([^/]+)\.item\.json$/)?.[1];
  return {
    name: stem ?? folderName(dir),
    items,
    ...(sids && { sids }),
    files: [indexPath, itemPath, infoPath, map?.path].filter((path) => path !== undefined),
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

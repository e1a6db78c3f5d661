import type { Corpus } from "../../corpus.ts";
import { failAtOnce, type OnFault, orFault } from "../../../base/fault.ts";
import { badValue, excerpt } from "../../../base/file_error.ts";
import {
  fileEnding,
  type FileRole,
  findFile,
  folderName,
  otherFiles,
  requireFile,
} from "../../../base/files/find_file.ts";
import type { DatasetFormat } from "../format.ts";
import { loadIdMap } from "../id_map_file.ts";
import { loadIndex } from "../index_file.ts";
import { cutSamples, leaveOneOut, toColumns } from "../../interactions.ts";
import { loadItems, untitledItems } from "../item_file.ts";
import { readJson } from "../../../base/files/json_file.ts";
import { RawIndex, RawInteractions } from "../schema.ts";
import { UserError } from "../../../base/user_error.ts";

const INTERACTIONS = fileEnding("inter.json");
const INDEX = fileEnding("index.json");
const ITEMS = fileEnding("item.json");
const TABLE: FileRole = {
  layout: "*.csv or *.inter",
  folders: ["", "train"],
  fits: (name) => /\.(csv|inter)$/.test(name),
};

/** History items a sample keeps at most, as in the time-split data. */
export const MAX_HISTORY = 10;
/** Train, valid and test need one item each. */
export const MIN_ITEMS = 3;

/**
 * LETTER's and LC-Rec's directory: `inter.json` (user -> items in time order) and `index.json`. Leave-one-out: a
 * user's last item is the test target, the one before it the valid target, every earlier one but the first a
 * train target. Titles come from `item.json` where there is one; before SIDs exist, that is there alone.
 * Source: arXiv:2405.07314, section 4.1.
 */
export const letterFormat: DatasetFormat = {
  name: "LETTER",
  layout: "inter.json, index.json, optionally item.json",

  async recognises(dir: string): Promise<boolean> {
    // MiniOneRec's preprocessing leaves an inter.json beside its splits.
    const hasTables = await findFile(dir, TABLE).then((path) => path !== undefined, () => true);
    return !hasTables && await findFile(dir, INTERACTIONS) !== undefined;
  },

  async read(dir: string, onFault: OnFault = failAtOnce): Promise<Corpus> {
    const interPath = await requireFile(dir, INTERACTIONS);
    const itemPath = await findFile(dir, ITEMS);
    const indexPath = await (itemPath === undefined ? requireFile : findFile)(dir, INDEX);
    const bought = Object.entries(await readJson(interPath, RawInteractions));
    const items = itemPath === undefined
      ? untitledItems(Object.keys(await readJson(indexPath!, RawIndex)).length)
      : await loadItems(itemPath);
    const sids = indexPath === undefined ? undefined : await loadIndex(indexPath, items.length);
    if (bought.length === 0) {
      throw new UserError(
        `Cannot read ${interPath}: expected at least one user, found none. Re-export the file`,
      );
    }
    const itemMap = await loadIdMap(dir, "item2id"), userMap = await loadIdMap(dir, "user2id");
    for (const item of items.keys()) items[item].id = itemMap?.ids[item] ?? items[item].id;
    const sound = bought.filter(([user, list]) =>
      orFault(onFault, () => checkUser(user, list, items.length, interPath)) === true
    );
    const interactions = toColumns(
      sound.flatMap(([, list], user) => list.map((item) => ({ user, item }))),
    );
    const files = [interPath, indexPath, itemPath, itemMap?.path, userMap?.path]
      .filter((path) => path !== undefined);
    return {
      name: interPath.match(/([^/]+)\.inter\.json$/)?.[1] ?? folderName(dir),
      source: "files in the form of LETTER; where their data comes from they do not say",
      license: "that of the original data",
      split: "leave-one-out",
      maxHistory: MAX_HISTORY,
      items,
      users: sound.map(([id]) => ({ id: userMap?.ids[Number(id)] ?? id })),
      interactions,
      samples: cutSamples(interactions, sound.length, MAX_HISTORY, leaveOneOut),
      ...(sids && { sids }),
      attachments: {},
      files,
      unread: await otherFiles(dir, files),
    };
  },
};

/** True, or throws. */
function checkUser(user: string, bought: number[], itemCount: number, path: string): true {
  const place = { path: `${path} at ["${user}"]` };
  if (bought.length < MIN_ITEMS) {
    throw badValue(place, `at least ${MIN_ITEMS} items (train, valid, test)`, bought, "Drop the user");
  }
  const outside = bought.findIndex((item) => item >= itemCount);
  if (outside >= 0) {
    throw new UserError(
      `Cannot read ${place.path}[${outside}]: expected an item number from 0 to ${itemCount - 1}, ` +
        `found ${excerpt(bought[outside])}. Use files of one export`,
    );
  }
  return true;
}

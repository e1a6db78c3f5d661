import type { Dataset, DatasetFormat, Item, Sample, Split, UserHistory } from "./dataset.ts";
import { badValue, excerpt } from "./file_error.ts";
import { type FileRole, findFile, requireFile } from "./find_file.ts";
import { loadIndex } from "./index_file.ts";
import { loadItems } from "./item_file.ts";
import { readJson } from "./json_file.ts";
import { RawIndex, RawInteractions } from "./schema.ts";
import { UserError } from "./user_error.ts";

const INTERACTIONS: FileRole = {
  layout: "inter.json or *.inter.json",
  folders: [""],
  fits: (name) => name === "inter.json" || name.endsWith(".inter.json"),
};
const INDEX: FileRole = {
  layout: "index.json or *.index.json",
  folders: [""],
  fits: (name) => name === "index.json" || name.endsWith(".index.json"),
};
const ITEMS: FileRole = {
  layout: "item.json or *.item.json",
  folders: [""],
  fits: (name) => name === "item.json" || name.endsWith(".item.json"),
};
const TABLE: FileRole = { layout: "*.csv", folders: ["", "train"], fits: (name) => name.endsWith(".csv") };

/** History items a sample keeps at most, as in the time-split data. */
const MAX_HISTORY = 10;
/** Train, valid and test need one item each. */
const MIN_ITEMS = 3;

/**
 * LETTER's and LC-Rec's directory: `inter.json` (user -> items in time order) and `index.json`. Leave-one-out: a
 * user's last item is the test target, the one before it the valid target, every earlier one but the first a
 * train target. Titles come from `item.json` where there is one. Source: arXiv:2405.07314, section 4.1.
 */
export const letter: DatasetFormat = {
  name: "LETTER",
  layout: "inter.json, index.json, optionally item.json",

  async recognises(dir: string): Promise<boolean> {
    // MiniOneRec's preprocessing leaves an inter.json beside its CSV splits.
    const hasTables = await findFile(dir, TABLE).then((path) => path !== undefined, () => true);
    return !hasTables && await findFile(dir, INTERACTIONS) !== undefined;
  },

  async load(dir: string): Promise<Dataset> {
    const interPath = await requireFile(dir, INTERACTIONS);
    const indexPath = await requireFile(dir, INDEX);
    const itemPath = await findFile(dir, ITEMS);
    const interactions = Object.entries(await readJson(interPath, RawInteractions));
    const items = itemPath === undefined
      ? untitled(Object.keys(await readJson(indexPath, RawIndex)).length)
      : await loadItems(itemPath);
    const sids = await loadIndex(indexPath, items.length);
    if (interactions.length === 0) {
      throw new UserError(
        `Cannot read ${interPath}: expected at least one user, found none. Re-export the file`,
      );
    }
    for (const [user, bought] of interactions) checkUser(user, bought, items.length, interPath);
    return {
      name: interPath.match(/([^/]+)\.inter\.json$/)?.[1] ?? dir.replace(/\/+$/, "").split("/").at(-1)!,
      source: "LETTER export of Amazon reviews (McAuley lab)",
      license: "published for research; item text belongs to its sellers",
      items,
      ...leaveOneOut(interactions.map(([user, bought]) => ({ user, items: bought })), MAX_HISTORY),
      sids,
      files: [interPath, indexPath, itemPath].filter((path) => path !== undefined),
    };
  },
};

function untitled(count: number): Item[] {
  return Array.from({ length: count }, (_, item) => ({ title: `item ${item}` }));
}

function checkUser(user: string, bought: number[], itemCount: number, path: string) {
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
}

/** Splits users' item sequences, each of at least three items, by leave-one-out. */
export function leaveOneOut(
  users: readonly UserHistory[],
  maxHistory: number,
): { samples: Record<Split, Sample[]>; histories: UserHistory[] } {
  const samples: Record<Split, Sample[]> = { train: [], valid: [], test: [] };
  const histories: UserHistory[] = [];
  for (const { user, items } of users) {
    const last = items.length - 1;
    for (let i = 1; i <= last; i++) {
      const split = i === last ? "test" : i === last - 1 ? "valid" : "train";
      samples[split].push({ user, history: items.slice(Math.max(i - maxHistory, 0), i), target: items[i] });
    }
    histories.push({ user, items: items.slice(0, -2) });
  }
  return { samples, histories };
}

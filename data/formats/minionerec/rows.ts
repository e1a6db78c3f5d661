import type { Attributes, CorpusItem, CorpusSample } from "../../corpus.ts";
import type { CsvRow } from "../../../base/files/csv_file.ts";
import { badValue, excerpt } from "../../../base/file_error.ts";
import { parseIntegerCell, parseStringCell } from "../list_cell.ts";
import { UserError } from "../../../base/user_error.ts";

/** Columns of a split's CSV file, in the order of the published ones. */
export const COLUMNS = [
  "user_id",
  "history_item_title",
  "item_title",
  "history_item_id",
  "item_id",
  "history_item_sid",
  "item_sid",
] as const;
type Row = CsvRow<typeof COLUMNS[number]>;

/** Attributes of a sample under `minionerec`; cells of further columns are attributes by themselves. */
export interface RowAttributes extends Attributes {
  /** Titles in the row, where they are not those of the catalogue. */
  titles?: { history: string[]; target: string };
}

/** What rows refer to. */
export interface RowContext {
  path: string;
  items: readonly CorpusItem[];
  /** Joined SIDs by item number. */
  sids: readonly string[];
  /** The number of a `user_id`. */
  userNumber(id: string): number;
}

/** Reads one row. Throws `UserError` naming line and column of what contradicts itself or the catalogue. */
export function toSample({ line, cells, others }: Row, context: RowContext): CorpusSample {
  const { path, items, sids } = context;
  const listCell = <T>(column: keyof Row["cells"], parse: (text: string) => T[], example: string) => {
    try {
      return parse(cells[column]);
    } catch (error) {
      const fix = `Parsing stopped: ${(error as Error).message}. Fix or re-export the file`;
      throw badValue({ path, line, column }, `a list such as ${example}`, cells[column], fix);
    }
  };
  const checkItem = (item: number, column: string) => {
    if (Number.isInteger(item) && item >= 0 && item < items.length) return;
    throw badValue(
      { path, line, column },
      `an item number from 0 to ${items.length - 1}`,
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

  const sameTitles = cells.item_title === items[target].title &&
    history.every((item, i) => items[item].title === titles[i]);
  const own: RowAttributes = { titles: { history: titles, target: cells.item_title } };
  const said = Object.fromEntries(Object.entries(others).filter(([, cell]) => cell !== ""));
  const attributes: Attributes = { ...said, ...(!sameTitles && { minionerec: own }) };
  const sample: CorpusSample = { user: context.userNumber(cells.user_id), history, target };
  if (Object.keys(attributes).length > 0) sample.attributes = attributes;
  return sample;
}

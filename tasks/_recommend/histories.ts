import { z } from "zod";
import { readJsonLines } from "../../base/files/json_lines.ts";
import { UserError } from "../../base/user_error.ts";
import type { Asker } from "../../data/dataset.ts";
import type { ItemLookup } from "./item_lookup.ts";

/** An item's number, or its id; numbers below 0 are ids too. */
const ItemName = z.union([z.int().min(0), z.int().max(-1).transform(String), z.string()], {
  error: "item numbers or ids",
});

const Row = z.strictObject({
  user: z.union([z.string(), z.number()]).optional(),
  history: z.array(ItemName).optional(),
  titles: z.array(z.string()).optional(),
  preference: z.string().optional(),
  say: z.union([z.string(), z.array(z.string())], { error: "text or a list of texts" }).optional(),
});

/** Somebody to recommend to. */
export interface HistoryRow extends Pick<Asker, "preference"> {
  /** As in the file; absent where that says nothing. */
  user?: string | number;
  /** Item numbers, oldest first. */
  history: number[];
  /** What the user says after the question, turn by turn; absent where nothing. */
  say?: readonly string[];
  /** Entries that are left out of the history, since the data does not have them. */
  unknown: (string | number)[];
  /** Where it stands, for messages. */
  place: string;
  /** Why there is nothing to recommend by: nothing in the history, or nothing known. */
  fault?: string;
}

/**
 * Reads a JSON Lines file of histories, `{"history": [12, "B00X"]}` or `{"titles": ["Tape", "Glue"]}`, each with a `user`
 * if one likes, and what a task is told, such as `preference`; one line in memory at a time. Throws {@link UserError} naming a line that
 * is none of these; what is unknown of a user is told in the row.
 */
export async function* readHistories(path: string, lookup: ItemLookup): AsyncGenerator<HistoryRow> {
  for await (
    const { line, value: { user, history, titles, say = [], ...told } } of readJsonLines(path, Row)
  ) {
    const place = `${path} line ${line}`;
    if ((history === undefined) === (titles === undefined)) {
      throw new UserError(
        `Cannot read ${place}: expected either history, a list of item numbers or ids, or titles, a list of texts, found ` +
          `${history === undefined ? "neither" : "both"}. Fix the line`,
      );
    }
    const row = history ? itemsOf(history, place, lookup) : titledItems(titles!, place, lookup);
    yield { ...(user !== undefined && { user }), ...row, ...told, ...saidBy([say].flat()) };
  }
}

/** What a user says, turn by turn; empty texts are no turn. */
export function saidBy(texts: readonly string[]): Pick<HistoryRow, "say"> {
  const say = texts.filter((text) => text.trim() !== "");
  return say.length > 0 ? { say } : {};
}

/** The items that a history names by number or id. */
export function itemsOf(names: readonly (number | string)[], place: string, lookup: ItemLookup): HistoryRow {
  const unknown = names.filter((name) => lookup.find(name) === undefined);
  const history = names.map((name) => lookup.find(name)).filter((item) => item !== undefined);
  return {
    history,
    unknown,
    place,
    ...faultOf(history, place, () => lookup.unknown(unknown, place), unknown),
  };
}

/** The items that a history names by their whole titles. */
export function titledItems(titles: readonly string[], place: string, lookup: ItemLookup): HistoryRow {
  const history: number[] = [], unknown: string[] = [];
  let first: UserError | undefined;
  for (const title of titles) {
    try {
      history.push(lookup.numberOf(title, place));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      unknown.push(title);
      first ??= error;
    }
  }
  return { history, unknown, place, ...faultOf(history, place, () => first!, unknown) };
}

function faultOf(
  history: readonly number[],
  place: string,
  why: () => UserError,
  unknown: readonly (string | number)[],
): { fault?: string } {
  if (history.length > 0) return {};
  if (unknown.length > 0) return { fault: why().message };
  return { fault: `Cannot read ${place}: expected a history of at least one item, found none. Add one` };
}

import { z } from "zod";
import { readJsonLines } from "../../base/files/json_lines.ts";
import { UserError } from "../../base/user_error.ts";
import type { ItemLookup } from "./item_lookup.ts";

const Row = z.strictObject({
  user: z.union([z.string(), z.number()]).optional(),
  history: z.array(z.int().min(0)).optional(),
  titles: z.array(z.string()).optional(),
});

/** Somebody to recommend to. */
export interface HistoryRow {
  /** As in the file; absent where that says nothing. */
  user?: string | number;
  /** Item numbers, oldest first; at least one. */
  history: number[];
  /** Where it stands, for messages. */
  place: string;
}

/**
 * Reads a JSON Lines file of histories, `{"history": [12, 845]}` or `{"titles": ["Tape", "Glue"]}`, each with a `user`
 * if one likes; one line in memory at a time. Throws {@link UserError} naming the line.
 */
export async function* readHistories(path: string, lookup: ItemLookup): AsyncGenerator<HistoryRow> {
  for await (const { line, value: { user, history, titles } } of readJsonLines(path, Row)) {
    const place = `${path} line ${line}`;
    if ((history === undefined) === (titles === undefined)) {
      throw new UserError(
        `Cannot read ${place}: expected either history, a list of item numbers, or titles, a list of texts, found ` +
          `${history === undefined ? "neither" : "both"}. Fix the line`,
      );
    }
    const items = history ?? titles!.map((title) => lookup.numberOf(title, place));
    if (items.length === 0) {
      throw new UserError(
        `Cannot read ${place}: expected a history of at least one item, found none. Fix the line`,
      );
    }
    lookup.check(items, place);
    yield { ...(user !== undefined && { user }), history: items, place };
  }
}

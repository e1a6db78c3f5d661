import { z } from "zod";
import { badValue } from "../base/file_error.ts";
import { readText } from "../base/files/text_file.ts";
import { UserError } from "../base/user_error.ts";
import type { Split } from "./dataset.ts";

/** What somebody wrote of one user: what the user likes, and why the target follows from the history. */
export interface Preference {
  /** User id as in the file; absent where it has none. */
  user?: string;
  /** Taste or reasoning in words. */
  text: string;
  /** Item numbers, oldest first. */
  history: number[];
  /** Item number. */
  target: number;
}

const itemNumber = z.union([z.int().min(0), z.string().regex(/^\d+$/).transform(Number)], {
  error: "an item number",
});
const Row = z.object({
  user: z.union([z.string(), z.number()]).optional(),
  split: z.string().default("train"),
  user_preference: z.string({ error: "text" }),
  context: z.object({ history_items: z.array(itemNumber), target_item: itemNumber }),
});

/**
 * The rows of one split in a preference file, a JSON array or one JSON object a line: `{ user, split, user_preference,
 * context: { history_items, target_item } }`. Rows of other splits (without the field: train) and empty texts are left
 * out. Source: MiniOneRec.
 * Throws `UserError` naming file, row (from 0) and field, or an item that the catalogue does not have.
 */
export async function readPreferences(
  path: string,
  itemCount: number,
  wanted: Split = "train",
): Promise<Preference[]> {
  const preferences: Preference[] = [];
  for (const [number, value] of parseRows(await readText(path), path).entries()) {
    const parsed = Row.safeParse(value);
    const place = `${path} row ${number}`;
    if (!parsed.success) {
      const { path: keys, message } = parsed.error.issues[0];
      const found = keys.reduce<unknown>(
        (at, key) => (at as Record<PropertyKey, unknown> | null)?.[key],
        value,
      );
      const expected = message.replace(/^Invalid input: expected /, "").replace(/, received.*$/, "");
      throw badValue({ path: place, ...(keys.length > 0 && { column: keys.join(".") }) }, expected, found);
    }
    const { user, split, user_preference, context: { history_items: history, target_item: target } } =
      parsed.data;
    const unknown = [...history, target].find((item) => item >= itemCount);
    if (unknown !== undefined) {
      throw badValue({ path: place, column: "context" }, `item numbers from 0 to ${itemCount - 1}`, unknown);
    }
    const text = user_preference.trim();
    if (split !== wanted || text === "") continue;
    preferences.push({ ...(user !== undefined && { user: String(user) }), text, history, target });
  }
  return preferences;
}

function parseRows(text: string, path: string): unknown[] {
  if (text.trimStart().startsWith("[")) {
    try {
      return JSON.parse(text) as unknown[];
    } catch (error) {
      throw new UserError(
        `Cannot read ${path}: expected JSON, but ${(error as Error).message}. Re-export the file`,
      );
    }
  }
  return text.split(/\r?\n/).flatMap((line, number) => {
    if (line.trim() === "") return [];
    try {
      return [JSON.parse(line) as unknown];
    } catch {
      throw badValue({ path, line: number + 1 }, "a JSON object", line);
    }
  });
}

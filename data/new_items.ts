import { z } from "zod";
import { parseWithDigits } from "../base/json.ts";
import type { CorpusItem } from "./corpus.ts";
import { excerpt } from "../base/file_error.ts";
import { readText } from "../base/files/text_file.ts";
import { UserError } from "../base/user_error.ts";

const text = z.string().trim();
const NewItem = z.object({
  id: z.union([text.min(1), z.number().transform(String)], {
    error: "expected id, a text or a number",
  }),
  title: text.min(1, { error: "expected title, a text" }),
  description: z.union([text, z.array(text).transform((parts) => parts.join(" "))]).optional(),
  brand: text.optional(),
  categories: z.union([z.array(text), text.transform((list) => list.split(/\s*,\s*/))]).default([]),
  features: z.union([text, z.array(text).transform((parts) => parts.join(" "))]).optional(),
  price: z.number().optional(),
});

/** Items of a file of lines. */
export interface NewItems {
  items: CorpusItem[];
  /** Place of each among all lines that hold anything, from 0: the row of its vector. */
  rows: number[];
  /** Lines that hold anything. */
  lines: number;
  /** What is wrong with the lines left out, in their order. */
  badLines: string[];
}

const SHOWN = 5;

/**
 * Reads items, a JSON object with `id` and `title` a line, and maybe description, brand, categories, features and price.
 * Up to `maxBadLines` malformed lines are left out.
 * @throws {UserError} for more of them, for no items, and for an id that two lines or `known` items have.
 */
export async function readNewItems(
  path: string,
  maxBadLines: number,
  known: ReadonlySet<string>,
): Promise<NewItems> {
  const found: NewItems = { items: [], rows: [], lines: 0, badLines: [] };
  const lineOf = new Map<string, number>();
  for (const [index, line] of (await readText(path)).split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    const row = found.lines++;
    const item = parseItem(line);
    if (typeof item === "string") {
      found.badLines.push(`line ${index + 1}: ${item}`);
      continue;
    }
    const first = lineOf.get(item.id);
    if (first !== undefined || known.has(item.id)) {
      throw new UserError(
        `Cannot add ${path} line ${index + 1}: id ${JSON.stringify(item.id)} is that of ${
          first === undefined ? "an item in the catalogue" : `line ${first}`
        }, expected a new one. Remove the line`,
      );
    }
    lineOf.set(item.id, index + 1);
    found.items.push(item);
    found.rows.push(row);
  }
  if (found.badLines.length > maxBadLines) {
    const more = found.badLines.length > SHOWN ? `\n  and ${found.badLines.length - SHOWN} more` : "";
    throw new UserError(
      `Cannot read ${path}: ${found.badLines.length} of ${found.lines} lines are malformed:\n  ` +
        `${
          found.badLines.slice(0, SHOWN).join("\n  ")
        }${more}\nMend them, or leave them out with --max-bad-lines ` +
        `${found.badLines.length}`,
    );
  }
  if (found.items.length === 0) {
    throw new UserError(
      `Cannot read ${path}: it has no items, expected lines such as {"id": "B01", "title": "Blue tape"}`,
    );
  }
  return found;
}

/** The item, or what is wrong with the line. */
function parseItem(line: string): CorpusItem | string {
  let value: unknown;
  try {
    value = parseWithDigits(line);
  } catch {
    return `no JSON, ${excerpt(line)}`;
  }
  const result = NewItem.safeParse(value);
  if (result.success) return result.data;
  const [{ path, message }] = result.error.issues;
  return `${path.join(".") || "value"}: ${message}, found ${excerpt(value)}`;
}

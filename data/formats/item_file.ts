import type { Attributes, CorpusItem } from "../corpus.ts";
import { readJson } from "../../base/files/json_file.ts";
import { escapeNonAscii, numbered, ObjectText } from "../../base/json.ts";
import { numberedRows } from "../corpus_parts.ts";
import { parseStringCell } from "./list_cell.ts";
import { type RawItem, RawItems } from "./schema.ts";

/** Reads an `item.json`: item number as text -> title, description, brand, categories, and whatever else there is. */
export async function loadItems(path: string): Promise<CorpusItem[]> {
  return numbered(await readJson(path, RawItems), path).map(toItem);
}

/** Items of which nothing but their number is known. */
export function untitledItems(count: number): CorpusItem[] {
  return Array.from({ length: count }, (_, item) => ({ id: String(item), title: "", categories: [] }));
}

function toItem(raw: RawItem, number: number): CorpusItem {
  const { title, description, brand, categories, features, price, ...others } = raw;
  const item: CorpusItem = { id: String(number), title, categories: toCategories(categories) };
  const texts = { description: joined(description), brand, features: joined(features) };
  for (const field of ["description", "brand", "features"] as const) {
    if (texts[field]) item[field] = texts[field];
  }
  if (typeof price === "number") item.price = price;
  else if (price !== undefined) others.price = price;
  const given = toRaw(item), unlike: Attributes = {};
  for (const field of ["description", "categories", "features"] as const) {
    if (raw[field] !== undefined && !sameJson(raw[field], given[field] ?? "")) unlike[field] = raw[field];
  }
  if (Object.keys(unlike).length > 0) others.raw = unlike;
  if (Object.keys(others).length > 0) item.attributes = others;
  return item;
}

/** The text of an `item.json` as MiniOneRec writes it, an item at a time. Fields that an item lacks are empty texts. */
export async function* itemPieces(items: AsyncIterable<readonly CorpusItem[]>): AsyncGenerator<string> {
  const object = new ObjectText(2);
  for await (const { first, rows } of numberedRows(items)) {
    for (const [row, item] of rows.entries()) {
      yield escapeNonAscii(object.entry(String(first + row), toRaw(item)));
    }
  }
  yield object.end();
}

/** Whether `item.json`, which joins categories with commas, tells those of an item apart. */
export function keepsCategories(item: CorpusItem): boolean {
  return sameJson(toCategories(toRaw(item).categories), item.categories);
}

function toRaw({ title, description, brand, categories, features, price, attributes }: CorpusItem): RawItem {
  const { raw, ...others } = attributes ?? {};
  return {
    title,
    description: description ?? "",
    brand: brand ?? "",
    categories: categories.join(", "),
    ...(features !== undefined && { features }),
    ...(price !== undefined && { price }),
    ...raw as Attributes | undefined,
    ...others,
  };
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Older exports hold a list as Python prints it; text that only looks like one stays as it is. */
function joined(value: string | string[] | undefined): string | undefined {
  if (typeof value !== "string") return value?.join(" ");
  if (!value.startsWith("[")) return value;
  try {
    return parseStringCell(value).join(" ");
  } catch {
    return value;
  }
}

function toCategories(value: string | string[] | undefined): string[] {
  const list = typeof value === "string" ? value.split(",") : value ?? [];
  return list.map((category) => category.trim()).filter((category) => category !== "");
}

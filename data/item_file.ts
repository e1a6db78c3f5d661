import type { Item } from "./dataset.ts";
import { numbered, readJson } from "./json_file.ts";
import { parseStringCell } from "./list_cell.ts";
import { type RawItem, RawItems } from "./schema.ts";

/** Reads an `item.json`: item number as text -> title, description, brand, categories. */
export async function loadItems(path: string): Promise<Item[]> {
  return numbered(await readJson(path, RawItems), path).map(toItem);
}

function toItem(raw: RawItem): Item {
  const item: Item = { title: raw.title };
  const fields = {
    description: joined(raw.description, " "),
    brand: raw.brand,
    categories: joined(raw.categories, ", "),
  };
  for (const field of ["description", "brand", "categories"] as const) {
    if (fields[field]) item[field] = fields[field];
  }
  return item;
}

/** Older exports hold a list as Python prints it; text that only looks like one stays as it is. */
function joined(value: string | string[] | undefined, separator: string): string | undefined {
  if (typeof value !== "string") return value?.join(separator);
  if (!value.startsWith("[")) return value;
  try {
    return parseStringCell(value).join(separator);
  } catch {
    return value;
  }
}

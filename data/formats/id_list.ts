import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { excerpt } from "../../base/file_error.ts";
import type { ReadFiles } from "../../base/files/disk.ts";
import { UserError } from "../../base/user_error.ts";

const Ids = z.array(z.union([z.string(), z.number().transform(String)]), { error: "a list of ids" });
const IdListJson = z.union([Ids, z.object({ ids: Ids }).transform(({ ids }) => ids)], {
  error: 'a list of ids, or an object with "ids"',
});

/** The id list beside `items.npy`: `items.ids.json`, which says what item each row is. */
export function idListPath(npyPath: string): string {
  return npyPath.replace(/\.npy$/, "") + ".ids.json";
}

/** Ids of the rows of an embedding file: its id list, or undefined where none lies beside it. */
export async function readIdList(files: ReadFiles, npyPath: string): Promise<string[] | undefined> {
  const path = idListPath(npyPath);
  const folder = path.slice(0, path.lastIndexOf("/") + 1) || ".";
  if (!(await files.listFiles(folder)).includes(path.slice(path.lastIndexOf("/") + 1))) return undefined;
  return parseJson(new TextDecoder().decode(await files.readFile(path)), path, IdListJson);
}

/**
 * Row of each item in a file whose rows are `ids`. Throws `UserError` naming ids that stand there twice or are missing;
 * ids of other items are no fault.
 */
export function rowsOfItems(ids: readonly string[], items: readonly string[], source: string): number[] {
  const rowOf = new Map<string, number>();
  const doubled = new Set<string>();
  for (const [row, id] of ids.entries()) rowOf.has(id) ? doubled.add(id) : rowOf.set(id, row);
  if (doubled.size > 0) {
    throw badIds(source, [...doubled], "stand there more than once", "Give every row its own id");
  }
  const missing = items.filter((id) => !rowOf.has(id));
  if (missing.length > 0) {
    throw badIds(source, missing, `are missing, of ${items.length} items`, "Embed these items too");
  }
  return items.map((id) => rowOf.get(id)!);
}

function badIds(source: string, ids: string[], fault: string, fix: string): UserError {
  const listed = ids.slice(0, 5).map(excerpt).join(", ") +
    (ids.length > 5 ? ` and ${ids.length - 5} more` : "");
  return new UserError(`Cannot use ${source}: ids ${listed} ${fault}, expected each item once. ${fix}`);
}

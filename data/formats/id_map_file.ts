import { badValue } from "../../base/file_error.ts";
import { fileEnding, type FileRole, findFile } from "../../base/files/find_file.ts";
import { readText } from "../../base/files/text_file.ts";

/** Raw ids by number. */
export interface IdMap {
  path: string;
  ids: string[];
}

/**
 * Reads a directory's `user2id` or `item2id`, raw id ⇥ number a line without header; undefined where it has none. Of
 * several datasets in a directory, `narrow` leaves the files of one.
 */
export async function loadIdMap(
  dir: string,
  name: "user2id" | "item2id",
  narrow: (role: FileRole) => FileRole = (role) => role,
): Promise<IdMap | undefined> {
  const path = await findFile(dir, narrow(fileEnding(name)));
  if (path === undefined) return;
  const lines = (await readText(path)).split(/\r?\n/).filter((line) => line !== "");
  const ids: string[] = [];
  for (const [index, text] of lines.entries()) {
    const place = { path, line: index + 1 };
    const [id, number, ...more] = text.split("\t");
    if (number === undefined || more.length > 0) {
      throw badValue(place, "2 tab-separated fields (id, number)", text);
    }
    const at = /^\d+$/.test(number) ? Number(number) : -1;
    if (at < 0 || at >= lines.length || ids[at] !== undefined) {
      throw badValue(place, `a number from 0 to ${lines.length - 1}, each once`, number);
    }
    ids[at] = id;
  }
  return { path, ids };
}

/** The text of a `user2id` or `item2id`; white space that would end a column becomes a space. */
export async function* formatIdMap(
  ids: Iterable<string> | AsyncIterable<string>,
): AsyncGenerator<string> {
  let number = 0;
  for await (const id of ids) yield `${id.replace(/[\t\r\n]+/g, " ")}\t${number++}\n`;
}

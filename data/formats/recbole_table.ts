import type { Attributes } from "../corpus.ts";
import { type OnFault, orFault } from "../../base/fault.ts";
import { badValue, type Place } from "../../base/file_error.ts";
import { readText } from "../../base/files/text_file.ts";

/** Types of RecBole's columns. */
const TYPES = ["token", "token_seq", "float", "float_seq"];

/** One line of an atomic file. */
export interface AtomicRow {
  place: Place;
  /** Cells by column name; empty where the line has nothing. */
  cells: Record<string, string>;
}

/** An atomic file of RecBole: tab-separated, a header of `name:type`. */
export interface AtomicFile {
  /** `name:type`, in order. */
  header: string[];
  /** Names, in order. */
  columns: string[];
  rows: AtomicRow[];
}

/** Reads an atomic file. Throws `UserError` for a header without types or without a column of `required`. */
export async function readAtomic(
  path: string,
  required: readonly string[],
  onFault: OnFault,
): Promise<AtomicFile> {
  const lines = (await readText(path)).split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const header = (lines[0] ?? "").split("\t");
  const columns = header.map((field) => {
    const [name, type, ...more] = field.split(":");
    if (more.length === 0 && TYPES.includes(type)) return name;
    throw badValue({ path, line: 1 }, `columns such as user_id:token, of type ${TYPES.join(", ")}`, field);
  });
  for (const name of required) {
    if (!columns.includes(name)) throw badValue({ path, line: 1 }, `a column ${name}`, header.join(" "));
  }
  const rows = lines.slice(1).flatMap((line, index) =>
    orFault(onFault, (): AtomicRow => {
      const place = { path, line: index + 2 };
      const values = line.split("\t");
      if (values.length !== columns.length) {
        throw badValue(place, `${columns.length} tab-separated fields`, line);
      }
      for (const name of required) {
        if (values[columns.indexOf(name)] === "") {
          throw badValue({ ...place, column: name }, "a value", "");
        }
      }
      return { place, cells: Object.fromEntries(columns.map((name, c) => [name, values[c]])) };
    }) ?? []
  );
  return { header, columns, rows };
}

/** A number in a cell, or undefined where it is empty. Throws `UserError` for anything else. */
export function numberCell({ place, cells }: AtomicRow, column: string): number | undefined {
  const text = cells[column] ?? "";
  if (text === "") return;
  const value = Number(text);
  if (Number.isFinite(value)) return value;
  throw badValue({ ...place, column }, "a number", text);
}

/** The line of an atomic file; white space that would end a cell becomes a space. */
export function formatAtomicLine(cells: readonly (string | number | undefined)[]): string {
  return cells.map((cell) => String(cell ?? "").replace(/[\t\r\n]+/g, " ")).join("\t") + "\n";
}

/** Cells of columns that have no field of ours, under their `name:type`; undefined where there are none. */
export function otherCells(
  { header, columns }: AtomicFile,
  { cells }: AtomicRow,
  known: readonly string[],
): Attributes | undefined {
  const others = header.flatMap((field, c) =>
    known.includes(columns[c]) || cells[columns[c]] === "" ? [] : [[field, cells[columns[c]]]]
  );
  return others.length === 0 ? undefined : Object.fromEntries(others);
}

import { CsvError, parse } from "csv-parse/sync";
import { readText } from "./text_file.ts";
import { UserError } from "../user_error.ts";

/** One record; `line` is the 1-based line on which it starts. */
export interface CsvRow<Column extends string> {
  line: number;
  cells: Record<Column, string>;
  /** Cells of columns beyond the wanted ones, by their name. */
  others: Record<string, string>;
}

/**
 * Reads a comma-separated file with a header. Every cell stays text: `NA` and `null` are titles, not gaps.
 * Throws `UserError` naming the line for a missing column, broken
 * quotes or a record of the wrong width.
 */
export async function readCsv<Column extends string>(
  path: string,
  columns: readonly Column[],
): Promise<CsvRow<Column>[]> {
  const text = await readText(path);
  let records: string[][];
  try {
    records = parse(text, { bom: true, relax_column_count: true });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new UserError(
      `Cannot read ${path} line ${error.lines}: expected comma-separated values with "…" quotes, ` +
        `but ${error.message}. Fix or re-export the file`,
    );
  }
  const header = records[0] ?? [];
  const positions = columns.map((column) => {
    const position = header.indexOf(column);
    if (position >= 0) return position;
    throw new UserError(
      `Cannot read ${path} line 1: expected a column ${column}, found ${
        header.join(", ") || "no columns"
      }. ` +
        `Fix the header or re-export the file`,
    );
  });
  // The column without a name is the row number that pandas adds.
  const extra = header.keys().filter((c) => header[c] !== "" && !positions.includes(c)).toArray();
  const rows: CsvRow<Column>[] = [];
  let line = 1;
  for (const [number, record] of records.entries()) {
    const start = line;
    line += 1 + lineEnds(record);
    if (number === 0 || (record.length === 1 && record[0] === "")) continue;
    if (record.length !== header.length) {
      throw new UserError(
        `Cannot read ${path} line ${start}: expected ${header.length} columns as in the header, ` +
          `found ${record.length}. Fix or re-export the file`,
      );
    }
    const cells = Object.fromEntries(columns.map((column, c) => [column, record[positions[c]]]));
    const others = Object.fromEntries(extra.map((c) => [header[c], record[c]]));
    rows.push({ line: start, cells: cells as Record<Column, string>, others });
  }
  return rows;
}

/** Line ends inside quoted cells: the parser's own count takes CR LF for two. */
function lineEnds(record: string[]): number {
  let count = 0;
  for (const cell of record) {
    if (cell.includes("\n")) count += cell.split("\n").length - 1;
  }
  return count;
}

/** One line of a comma-separated file, quoted only where a cell needs it, as Python's `csv` does. */
export function formatCsvLine(cells: readonly string[]): string {
  return cells.map((cell) => /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell).join(",") +
    "\n";
}

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { UserError } from "../../../base/user_error.ts";
import type { Engine } from "./engine.ts";
import { isRemote } from "./input_files.ts";
import { numberedLines } from "./table_query.ts";
import type { TableFormat } from "../source.ts";
import { name, type Sql, sql } from "./sql.ts";

/** How many bad lines are shown. */
export const SHOWN = 5;
const SHOWN_CHARACTERS = 90;

/** One line that was left out. */
export interface BadLine {
  /** Path, and the line from 1 (or the record, where lines cannot be told). */
  place: string;
  problem: string;
}

/** Bad lines of one kind of file: how many, and the first of them. */
export interface BadLines {
  count: number;
  first: BadLine[];
}

/** A table of raw lines in which `problem` says what is wrong with a row, and how to read one of its files again. */
export interface LoadedTable {
  table: string;
  files: readonly string[];
  format: TableFormat;
  /** Where the engine noted lines of the wrong width, if it did. */
  rejects?: string;
  /** All rows of one file with `problem`. */
  reread(file: string): Promise<Sql>;
}

/** Counts the bad lines of a table and finds the first; reads a file a second time only where it has any. */
export async function findBadLines(engine: Engine, loaded: LoadedTable): Promise<BadLines> {
  const { unusable } = await engine.row<{ unusable: number }>(
    sql`SELECT count(problem) AS unusable FROM ${name(loaded.table)}`,
  );
  const rejected = await rejectedLines(engine, loaded);
  const first = rejected.first;
  for (const file of loaded.files) {
    if (unusable === 0 || first.length >= SHOWN) break;
    first.push(...await unusableLines(engine, loaded, file, SHOWN - first.length));
  }
  return { count: unusable + rejected.count, first };
}

/** Throws `UserError` with the first bad lines where there are more than the user accepts. */
export function checkBadLines({ count, first }: BadLines, allowed: number, what: string): void {
  if (count <= allowed) return;
  const shown = first.map(({ place, problem }) => `\n  ${place}: ${problem}`).join("");
  throw new UserError(
    `Cannot use the ${what}: ${count} bad ${
      count === 1 ? "line" : "lines"
    }, expected at most ${allowed}.${shown}\n` +
      `Mend the file, check --dataset, or leave the lines out with --max-bad-lines ${count}`,
  );
}

async function rejectedLines(engine: Engine, { rejects }: LoadedTable): Promise<BadLines> {
  if (rejects === undefined) return { count: 0, first: [] };
  const lines = sql`SELECT file_path, line, any_value(error_message) AS error_message
    FROM ${name(rejects)} JOIN ${name(rejects + "_files")} USING (scan_id, file_id) GROUP BY file_path, line`;
  const { count } = await engine.row<{ count: number }>(sql`SELECT count(*) AS count FROM (${lines})`);
  const rows = await engine.rows<{ file_path: string; line: number; error_message: string }>(
    sql`${lines} ORDER BY file_path, line LIMIT ${SHOWN}`,
  );
  return {
    count,
    first: rows.map(({ file_path, line, error_message }) => ({
      place: `${file_path} line ${line}`,
      problem: error_message.split("\n")[0],
    })),
  };
}

async function unusableLines(
  engine: Engine,
  loaded: LoadedTable,
  file: string,
  limit: number,
): Promise<BadLine[]> {
  const rows = await engine.rows<{ line: number; problem: string }>(
    sql`SELECT line, problem FROM (${numberedLines(await loaded.reread(file))}) WHERE problem IS NOT NULL
      ORDER BY line LIMIT ${limit}`,
  );
  const { kind } = loaded.format;
  const readable = (kind === "json" || kind === "python") && !isRemote(file) && !/\.zst$/i.test(file);
  if (!readable || rows.length === 0) {
    return rows.map(({ line, problem }) => ({ place: `${file} record ${line + 1}`, problem }));
  }
  return await withText(file, new Map(rows.map(({ line, problem }) => [line, problem])), kind);
}

/** Finds lines by their place among those that are not blank, which the engine skips. */
async function withText(
  file: string,
  problems: Map<number, string>,
  kind: "json" | "python",
): Promise<BadLine[]> {
  const bytes = createReadStream(file);
  const lines = createInterface({ input: /\.gz$/i.test(file) ? bytes.pipe(createGunzip()) : bytes });
  const found: BadLine[] = [];
  let line = 0;
  let place = 0;
  for await (const text of lines) {
    line++;
    if (text.trim() === "") continue;
    const problem = problems.get(place++);
    if (problem === undefined) continue;
    const why = kind === "json" ? notAnObject(text) : undefined;
    found.push({ place: `${file} line ${line}`, problem: `${why ?? problem}: ${shortened(text)}` });
    if (found.length === problems.size) break;
  }
  bytes.destroy();
  return found;
}

function shortened(line: string): string {
  return line.length <= SHOWN_CHARACTERS ? line : line.slice(0, SHOWN_CHARACTERS) + "…";
}

function notAnObject(line: string): string | undefined {
  try {
    const value = JSON.parse(line);
    if (Array.isArray(value)) return "a JSON list, expected one object a line";
    return typeof value === "object" && value !== null ? undefined : "no JSON object";
  } catch (error) {
    if (line.trim() === "[") return "a JSON list, expected one object a line";
    return `no JSON (${(error as Error).message.replace(/ \(line 1 .*/, "")})`;
  }
}

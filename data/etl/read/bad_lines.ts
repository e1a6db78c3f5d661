import { UserError } from "../../../base/user_error.ts";
import { type BadLine, SHOWN } from "./bad_line.ts";
import type { Engine } from "./engine.ts";
import { LINE } from "./plain_file.ts";
import { printable, type RawTable } from "./raw_table.ts";
import { name, type Sql, sql } from "./sql.ts";
import { textLines } from "./text_lines.ts";

const SHOWN_CHARACTERS = 90;

/** Bad lines of one kind of file: how many, and the first of them. */
export interface BadLines {
  count: number;
  first: BadLine[];
}

/** A table of raw lines in which `problem` says what is wrong with a row, and where its rows came from. */
export interface LoadedTable {
  table: string;
  raw: RawTable;
  /** A query for {@link LINE} and `problem` of the rows of `lines`. */
  problems(lines: Sql): Sql;
}

/** Counts the bad lines of a table and finds the first; reads a file a second time only where it has any. */
export async function findBadLines(engine: Engine, { table, raw, problems }: LoadedTable): Promise<BadLines> {
  const { unusable } = await engine.row<{ unusable: number }>(
    sql`SELECT count(problem) AS unusable FROM ${name(table)}`,
  );
  let left = unusable;
  const first: BadLine[] = [];
  for (const file of raw.files) {
    const found = left === 0 ? [] : await unusableLines(engine, problems(raw.query(file)), file);
    const all = [...raw.rejectedOf(file), ...found].sort((a, b) => a.line - b.line);
    first.push(...all.slice(0, SHOWN - first.length));
    if (first.length >= SHOWN) left = 0;
  }
  return { count: unusable + raw.rejected, first: await withText(raw, first) };
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

async function unusableLines(engine: Engine, query: Sql, file: string): Promise<BadLine[]> {
  const rows = await engine.rows<{ line: number | null; record: number; problem: string }>(
    sql`SELECT ${
      name(LINE)
    } AS line, record, problem FROM (SELECT row_number() OVER () AS record, * FROM (${query}))
      WHERE problem IS NOT NULL ORDER BY record LIMIT ${SHOWN}`,
  );
  return rows.map(({ line, record, problem }) => ({
    place: line === null ? `${file} record ${record}` : `${file} line ${line}`,
    line: line ?? record,
    problem,
  }));
}

/** Adds the text of each line, where the file has lines. */
async function withText(raw: RawTable, bad: readonly BadLine[]): Promise<BadLine[]> {
  const texts = new Map<string, string>();
  for (const file of raw.files) {
    const wanted = new Map(
      bad.map(({ place, line }) => [line, place] as const)
        .filter(([line, place]) => place === `${file} line ${line}`),
    );
    if (wanted.size === 0) continue;
    let line = 0;
    const last = Math.max(...wanted.keys());
    for await (const { lines } of textLines(raw.localOf(file), raw.text)) {
      for (const text of lines) {
        const place = wanted.get(++line);
        if (place !== undefined) texts.set(place, text.trim());
      }
      if (line >= last) break;
    }
  }
  return bad.map(({ place, line, problem }) => {
    const text = texts.get(place);
    return { place, line, problem: text === undefined ? problem : `${problem}: ${shortened(text)}` };
  });
}

/** The beginning of a line, with what a terminal would act on written out. */
function shortened(line: string): string {
  const shown = line.length <= SHOWN_CHARACTERS ? line : line.slice(0, SHOWN_CHARACTERS) + "…";
  return printable(shown);
}

/**
 * Figures as they were measured, and how a page shows them. `docs/benchmarks/NAME.json` holds measurements by name;
 * `NAME.md` beside it has the words, and for each measurement a block that is made from the JSON:
 *
 *     <!-- measured: main -->
 *     (commands, tables, conditions)
 *     <!-- /measured -->
 */

/** The measurements of one page by name. */
export type Measurements = Record<string, BenchMeasurement>;

/** One measurement: what was run, where and when, and what came out. */
export interface BenchMeasurement {
  /** Lines to type in the project's folder. */
  command: string[];
  /** As 2026-11-21. */
  date?: string;
  /** The project's commit, seven digits. */
  commit?: string;
  seeds?: number[];
  /** Adapter, processor, versions, and what else ran there. */
  machine?: string;
  tables: Table[];
  /** Sentences made from the figures. */
  remarks?: string[];
  /** What the tables were made from, such as the times of every turn; no page shows it. */
  raw?: unknown;
}

export interface Table {
  columns: Column[];
  /** A cell a column. */
  rows: Cell[][];
}

export interface Column {
  name: string;
  /** How numbers are shown: shares as .1234, others as they are where there is no format. */
  format?: "share";
}

/** Text, a number in the column's format, or several numbers that belong together. */
export type Cell = string | number | Spread | Difference | CellInterval | number[];

/** Mean and standard deviation (or the half width that the page tells of). */
export interface Spread {
  mean: number;
  deviation: number;
}

/** Difference of two systems, perhaps with its interval. */
export interface Difference {
  difference: number;
  low?: number;
  high?: number;
}

/** An interval without its middle. */
export interface CellInterval {
  low: number;
  high: number;
}

/** Mean and standard deviation of several values; of one, the value. */
export function spreadOf(values: readonly number[]): Spread | number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  if (values.length === 1) return mean;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, deviation: Math.sqrt(variance) };
}

/** A share as in papers: .1234. */
export function digits(value: number): string {
  return value.toFixed(4).replace(/^(-?)0/, "$1");
}

/** A difference of shares: +.0012. */
export function signedDigits(value: number): string {
  return (value < 0 ? "-" : "+") + digits(Math.abs(value));
}

/** What a page shows of a cell. */
export function shownCell(cell: Cell, { format }: Column): string {
  const number = (value: number) => format === "share" ? digits(value) : String(value);
  if (typeof cell === "string") return cell;
  if (typeof cell === "number") return number(cell);
  if (Array.isArray(cell)) return cell.map(number).join(", ");
  if ("mean" in cell) return `${number(cell.mean)} +- ${number(cell.deviation)}`;
  if ("difference" in cell) {
    const { difference, low, high } = cell;
    const interval = low === undefined || high === undefined
      ? ""
      : ` [${signedDigits(low)}, ${signedDigits(high)}]`;
    return signedDigits(difference) + interval;
  }
  return `${number(cell.low)}-${number(cell.high)}`;
}

/**
 * The cell in the column of that name of the first row whose first cell is `row`; with `contender` of the line with that second
 * cell among it and the rows below it that leave their first cell empty. Throws where there is none.
 */
export function findCell(
  { tables }: BenchMeasurement,
  row: string,
  column: string,
  contender?: string,
): [Cell, Column] {
  for (const { columns, rows } of tables) {
    const i = columns.findIndex(({ name }) => name === column);
    const at = rows.findIndex(([first]) => first === row);
    const next = rows.findIndex(([first], i) => i > at && first !== "");
    const lines = at < 0 ? [] : rows.slice(at, next < 0 ? undefined : next);
    const cells = lines.find(([, second]) => contender === undefined || second === contender);
    if (i >= 0 && cells !== undefined) return [cells[i], columns[i]];
  }
  throw new Error(
    `Cannot find ${row} in a table with a column ${column}: name a row and a column that are there`,
  );
}

/** A table in Markdown, its columns as wide as `deno fmt` makes them. */
export function markdownTable(headings: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, i) =>
    Math.max(3, heading.length, ...lines.map((cells) => cells[i].length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  return [line(headings), line(widths.map((width) => "-".repeat(width))), ...lines.map(line)].join("\n");
}

/** A table of text. */
export function textTable(headings: readonly string[], rows: readonly (readonly string[])[]): Table {
  return { columns: headings.map((name) => ({ name })), rows: rows.map((cells) => [...cells]) };
}

/**
 * A measurement of one table with the rows of an earlier one that `now` does not make anew: those whose first `keys` cells
 * it has not. Commands, commits and machines of both are named where some stay. Throws where the
 * tables have other columns.
 */
export function mergedMeasurement(
  before: BenchMeasurement | undefined,
  now: BenchMeasurement,
  keys = 1,
): BenchMeasurement {
  const keyOf = (row: Cell[]) => JSON.stringify(row.slice(0, keys));
  const made = new Map(now.tables[0].rows.map((row) => [keyOf(row), row]));
  const kept = new Set(before?.tables[0].rows.map(keyOf).filter((key) => !made.has(key)));
  if (!before || kept.size === 0) return now;
  const [{ columns, rows }] = before.tables;
  const heads = [columns, now.tables[0].columns].map((columns) =>
    columns.map(({ name }) => name).join(" | ")
  );
  if (heads[0] !== heads[1]) {
    throw new Error(`Cannot add rows to a table of other columns: ${heads[0]}, expected ${heads[1]}`);
  }
  const old = new Set(rows.map(keyOf));
  const added = now.tables[0].rows.filter((row) => !old.has(keyOf(row)));
  const both = (a = "", b = "") =>
    [...new Set([...a.split(", "), ...b.split(", ")])].filter(Boolean).join(", ");
  const { raw: _, ...facts } = now;
  return {
    ...facts,
    command: [...new Set([...before.command, ...now.command])],
    commit: both(before.commit, now.commit),
    ...(before.machine !== now.machine && { machine: `${before.machine}; later rows: ${now.machine}` }),
    tables: [{ columns, rows: [...rows.map((row) => made.get(keyOf(row)) ?? row), ...added] }],
  };
}

/** A table as its page shows it. */
export function tableText({ columns, rows }: Table): string {
  return markdownTable(
    columns.map(({ name }) => name),
    rows.map((cells) => cells.map((cell, i) => shownCell(cell, columns[i]))),
  );
}

/** A measurement as its page shows it. */
export function measurementText(measurement: BenchMeasurement): string {
  const { command, tables, remarks = [] } = measurement;
  return [
    ...(command.length ? ["```sh parsed\n" + command.join("\n") + "\n```"] : []),
    ...tables.map(tableText),
    ...remarks.map((remark) => wrapped(`- ${remark}`, "  ")),
    ...(conditionsOf(measurement) ? [wrapped(conditionsOf(measurement))] : []),
  ].join("\n\n");
}

const BLOCK = /<!-- measured: ([\w-]+) -->\n[\s\S]*?<!-- \/measured -->/g;

/** The block of a measurement in a page. */
export function blockOf(name: string, measurement: BenchMeasurement): string {
  return `<!-- measured: ${name} -->\n\n${measurementText(measurement)}\n\n<!-- /measured -->`;
}

/** Names of the blocks of a page, in order. */
export function blocksIn(page: string): string[] {
  return [...page.matchAll(BLOCK)].map(([, name]) => name);
}

/**
 * `page` with its blocks made anew, and at its end those of measurements that have none yet.
 * @throws for a block of a measurement that is not there.
 */
export function renderPage(page: string, measurements: Measurements): string {
  const known = blocksIn(page);
  const unknown = known.find((name) => !Object.hasOwn(measurements, name));
  if (unknown !== undefined) {
    throw new Error(
      `Cannot render the block ${unknown}: the JSON has ${Object.keys(measurements).join(", ")}`,
    );
  }
  const rendered = page.replaceAll(BLOCK, (_, name: string) => blockOf(name, measurements[name]));
  const added = Object.keys(measurements).filter((name) => !known.includes(name));
  return [rendered, ...added.map((name) => `\n## ${name}\n\n${blockOf(name, measurements[name])}\n`)].join(
    "",
  );
}

/** The JSON of a page: a row of a table a line, so that a changed figure is a changed line. */
export function measurementsJson(measurements: Measurements): string {
  const rows: string[] = [];
  const marked = JSON.stringify(measurements, (key, value) => {
    if (key !== "rows" && key !== "columns") return value;
    return value.map((row: unknown) => `\0${rows.push(JSON.stringify(row)) - 1}\0`);
  }, 2);
  return marked.replace(/"\\u0000(\d+)\\u0000"/g, (_, i) => rows[i]) + "\n";
}

function conditionsOf({ date, commit, seeds = [], machine }: BenchMeasurement): string {
  return [
    date,
    commit && `commit ${commit}`,
    seeds.length ? `seed${seeds.length > 1 ? "s" : ""} ${seeds.join(", ")}` : "",
    machine,
  ].filter(Boolean).join(", ");
}

/** Text in lines as `deno fmt` breaks them, those after the first behind `indent`. */
function wrapped(text: string, indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > 110) {
      lines.push(line);
      line = indent + word;
    } else {
      line += (line === "" ? "" : " ") + word;
    }
  }
  return [...lines, line].join("\n");
}

import { existsSync } from "node:fs";
import { z } from "zod";
import { readJsonLines } from "../../base/files/json_lines.ts";
import { readText } from "../../base/files/text_file.ts";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { median } from "../kernels/report.ts";

/** A row has lost when it takes this much longer than before. */
const LOSS = 1.05;
/** Entries that a new one is compared with. */
const LAST = 10;

const BenchEntry = z.strictObject({
  /** When it ended, in UTC. */
  time: z.string(),
  /** Seven digits, with a plus where files differ from it. */
  commit: z.string().optional(),
  /** What times depend on besides the code; entries of other conditions are not compared. */
  conditions: z.string(),
  /** Processes that ran or waited on average in the last minute, as the system tells at the end. */
  load: z.number(),
  /** Median milliseconds by row. */
  rows: z.record(z.string(), z.number().positive()),
});
/** One run of the benchmark, a line of the history. */
export type BenchEntry = z.output<typeof BenchEntry>;

/** The entries of a history, oldest first; none where there is no file. Throws `UserError` naming a bad line. */
export async function readHistory(path: string): Promise<BenchEntry[]> {
  const entries: BenchEntry[] = [];
  if (!existsSync(path)) return entries;
  for await (const { value } of readJsonLines(path, BenchEntry)) entries.push(value);
  return entries;
}

/** Appends one line; a run that is cut off leaves the file as it was. */
export async function appendHistory(path: string, entry: BenchEntry): Promise<void> {
  const before = existsSync(path) ? await readText(path) : "";
  const end = before === "" || before.endsWith("\n") ? "" : "\n";
  await writeAtomic(path, `${before}${end}${JSON.stringify(entry)}\n`, "Name another --history");
}

/** How a row stands against the entries before. */
export interface HistoryLine {
  row: string;
  milliseconds: number;
  /** Median of the last entries of the same conditions that have the row, and how many those are. */
  before?: { milliseconds: number; entries: number };
  /** Whether it takes over 5 % longer than that. */
  lost: boolean;
}

/** Compares an entry, row by row, with the last ten of the same conditions. */
export function againstHistory(before: readonly BenchEntry[], entry: BenchEntry): HistoryLine[] {
  const same = before.filter(({ conditions }) => conditions === entry.conditions);
  return Object.entries(entry.rows).map(([row, milliseconds]) => {
    const times = same.flatMap(({ rows }) => row in rows ? [rows[row]] : []).slice(-LAST);
    if (times.length === 0) return { row, milliseconds, lost: false };
    const usual = median(times);
    return {
      row,
      milliseconds,
      before: { milliseconds: usual, entries: times.length },
      lost: milliseconds > LOSS * usual,
    };
  });
}

/** A sentence on the whole, and one for every row that lost. */
export function historyLines(lines: readonly HistoryLine[]): string[] {
  const lost = lines.filter((line) => line.lost);
  const known = lines.filter(({ before }) => before).length;
  return [
    known === 0
      ? "history: first entry of these conditions"
      : `history: ${lost.length} of ${known} rows lost over 5 %`,
    ...lost.map(({ row, milliseconds, before }) =>
      `LOSS ${row}: ${milliseconds.toFixed(2)} ms, ${
        ((milliseconds / before!.milliseconds - 1) * 100).toFixed(1)
      } % ` +
      `over ${before!.milliseconds.toFixed(2)} ms, the median of ${before!.entries} ` +
      `${before!.entries === 1 ? "entry" : "entries"}`
    ),
  ];
}

import { existsSync } from "node:fs";
import { z } from "zod";
import { readJsonLines } from "../../base/files/json_lines.ts";
import { readText } from "../../base/files/text_file.ts";
import { writeAtomic } from "../../base/files/write_atomic.ts";
import { peakRatesOf } from "../gpu/peaks.ts";
import { isWrong, median, type Report } from "../kernels/report.ts";
import { flops } from "../kernels/workload.ts";

/** Timings of a row that an entry has at least: this many above the upper quartile come by chance once in 64 rows. */
export const FEWEST_TIMINGS = 3;
/** A row has lost when it takes this much longer than before. */
const LOSS = 1.05;
/** Entries that a new one is compared with. */
const LAST = 10;
/** FLOP/s that no core exceeds: two units of 16 multiplications and additions each, at 6 GHz. */
const CORE_PEAK = 2 * 16 * 2 * 6e9;

const Timings = z.array(z.number().positive()).min(FEWEST_TIMINGS);
const BenchEntry = z.strictObject({
  /** When it ended, in UTC. */
  time: z.string(),
  /** Seven digits, with a plus where files differ from it. */
  commit: z.string().optional(),
  /** What times depend on besides the code; entries of other conditions are not compared. */
  conditions: z.string(),
  /** Processes that ran or waited on average in the last minute, as the system tells at the end. */
  load: z.number(),
  /** Timings by row: the clock's, and on a CPU adapter what the processor worked. */
  rows: z.record(
    z.string(),
    z.strictObject({ milliseconds: Timings, processorMilliseconds: Timings.optional() }),
  ),
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

/** What an entry is made of besides the report. */
export interface EntryConditions {
  variant: string;
  /** Milliseconds of work a timing. */
  budget: number;
  /** Whether the kernels run on the processor, so that its time is theirs. */
  isCpu: boolean;
  load: number;
}

/** The entry of a report: its rows with a right result, and a line on each that is left out since no machine is so fast. */
export function historyEntry(
  { rows, machine, commit }: Report,
  { variant, budget, isCpu, load }: EntryConditions,
): { entry: BenchEntry; rejected: string[] } {
  const { adapter, processor, cores, system, deno } = machine;
  const published = peakRatesOf(adapter);
  const peak = isCpu ? cores * CORE_PEAK : Math.max(published?.f32 ?? Infinity, published?.f16 ?? 0);
  const entry: BenchEntry = {
    time: new Date().toISOString(),
    ...(commit === undefined ? {} : { commit }),
    conditions: [
      adapter,
      `${processor}, ${cores} cores`,
      system,
      `Deno ${deno}`,
      variant,
      `${budget} ms`,
    ].filter(Boolean).join("; "),
    load,
    rows: {},
  };
  const rejected: string[] = [];
  for (const { group, name, workload, ours } of rows) {
    if ("absent" in ours || isWrong(group, ours)) continue;
    const { milliseconds, processorMilliseconds: worked } = ours;
    const timings = { milliseconds, ...(isCpu && worked && { processorMilliseconds: worked }) };
    const reasons = [
      impossible(flops(workload), milliseconds, peak),
      impossible(flops(workload), timings.processorMilliseconds ?? [], CORE_PEAK),
    ].filter((reason) => reason !== undefined);
    if (reasons.length > 0) {
      rejected.push(
        `REJECTED ${name}: ${reasons.join(", ")}, which no machine of this kind does. Measure again`,
      );
    } else entry.rows[name] = timings;
  }
  return { entry, rejected };
}

/** A timing that is none, or that is faster than the peak in FLOP/s; undefined where all are possible. */
function impossible(work: number, milliseconds: readonly number[], peak: number): string | undefined {
  const fastest = Math.min(...milliseconds);
  if (fastest <= 0) return `a timing of ${fastest.toFixed(3)} ms`;
  const rate = 1000 * work / fastest;
  return rate > peak ? `${(rate / 1e9).toFixed(0)} GF/s` : undefined;
}

/** How a row stands against the entries before. */
export interface HistoryLine {
  row: string;
  /** Whose time is compared: the processor's where this entry and one before have it. */
  time: "processor" | "clock";
  milliseconds: number;
  /** Median of the medians of the last entries of the same conditions that have the row, and how many those are. */
  before?: { milliseconds: number; entries: number };
  /** "resolved" where it takes 5 % longer or more, and all of its timings are above three quarters of those before. */
  loss: "none" | "unresolved" | "resolved";
}

/** Compares an entry, row by row, with the last ten of the same conditions. */
export function againstHistory(before: readonly BenchEntry[], entry: BenchEntry): HistoryLine[] {
  const same = before.filter(({ conditions }) => conditions === entry.conditions);
  return Object.entries(entry.rows).map(([row, timings]) => {
    const known = same.flatMap(({ rows }) => row in rows ? [rows[row]] : []);
    const worked = known.flatMap(({ processorMilliseconds }) =>
      processorMilliseconds ? [processorMilliseconds] : []
    );
    const byProcessor = timings.processorMilliseconds && (worked.length > 0 || known.length === 0);
    const time = byProcessor ? "processor" : "clock";
    const own = byProcessor ? timings.processorMilliseconds! : timings.milliseconds;
    const others = (byProcessor ? worked : known.map(({ milliseconds }) => milliseconds)).slice(-LAST);
    const milliseconds = median(own);
    if (others.length === 0) return { row, time, milliseconds, loss: "none" };
    const usual = median(others.map(median));
    const lost = milliseconds >= LOSS * usual;
    const resolved = Math.min(...own) > upperQuartile(others.flat());
    const loss = !lost ? "none" : resolved ? "resolved" : "unresolved";
    return { row, time, milliseconds, before: { milliseconds: usual, entries: others.length }, loss };
  });
}

/** The smallest value that three quarters of the values do not exceed. */
function upperQuartile(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(0.75 * sorted.length) - 1];
}

/** A sentence on the whole, and one for every row that lost. */
export function historyLines(lines: readonly HistoryLine[]): string[] {
  const slower = lines.filter(({ loss }) => loss !== "none");
  const lost = lines.filter(({ loss }) => loss === "resolved").length;
  const known = lines.filter(({ before }) => before).length;
  return [
    known === 0
      ? "history: first entry of these conditions"
      : `history: ${lost} of ${known} rows lost 5 % or more`,
    ...slower.map(({ row, time, milliseconds, before, loss }) =>
      `${loss === "resolved" ? "LOSS" : "not resolved,"} ${row}: ${milliseconds.toFixed(2)} ms` +
      `${time === "processor" ? " of processor time" : ""}, ` +
      `${((milliseconds / before!.milliseconds - 1) * 100).toFixed(1)} % ` +
      `over ${before!.milliseconds.toFixed(2)} ms, the median of ${before!.entries} ` +
      `${before!.entries === 1 ? "entry" : "entries"}`
    ),
  ];
}

import type { CorpusStream } from "../corpus_stream.ts";
import type { DatasetFormat } from "../formats/format.ts";
import { findFormat, openStream } from "../formats/load.ts";
import { type GoOnWith, KeptWork } from "../kept/work.ts";
import { UserError } from "../../base/user_error.ts";
import {
  type Checked,
  type CheckedDataset,
  type CheckState,
  checkStream,
  Faults,
  MOST_PROBLEMS,
} from "./stream.ts";

/** What a check found. */
export interface CheckReport {
  /** Name of the format. */
  format: string;
  /** The first {@link MOST_PROBLEMS} faults, one sentence each; none for a sound dataset. */
  problems: string[];
  /** All faults. */
  problemCount: number;
  /** What is no fault and good to know. */
  notes: string[];
  /** Facts and counts; absent where a file could not be read at all. */
  dataset?: CheckedDataset;
}

/**
 * Validates a dataset directory of any supported format (or built-in data by name) to its depth and counts what it
 * holds. Faults are reported, not thrown. Throws `UserError` where no format fits.
 */
export async function checkDataset(dir: string): Promise<CheckReport> {
  return await checkWatched(await findFormat(dir), dir);
}

/** Who follows a check, and how it goes on after a stop. */
export interface CheckFollower extends GoOnWith {
  /** Told of what is gone through; gives what is gone through instead. */
  watched(stream: CorpusStream): CorpusStream;
}

/** The same of a known format. One of our format that was stopped goes on to the same report. */
export async function checkWatched(
  format: DatasetFormat,
  dir: string,
  follower?: CheckFollower,
): Promise<CheckReport> {
  const faults = new Faults();
  let checked: Checked;
  try {
    using stream = await openStream(format, dir, faults.add);
    await using kept = follower && stream.tableFiles
      ? await KeptWork.open<CheckState>(dir, "check", stream.tableFiles, follower)
      : undefined;
    if (kept?.found) follower!.log(goesOnLine(kept.found.at, stream.rows));
    checked = await checkStream(follower?.watched(stream) ?? stream, faults, kept, follower?.signal);
  } catch (error) {
    if (!(error instanceof UserError) || follower?.signal.aborted) throw error;
    return report(format.name, faults, [error.message], []);
  }
  const { dataset, findings, notes } = checked;
  await format.verify?.(dir, dataset.statistics, faults.add);
  return { ...report(format.name, faults, findings, notes), dataset };
}

/** What was checked before, in words. */
function goesOnLine({ table, rows }: CheckState["at"], all: CorpusStream["rows"]): string {
  const number = (count: number) => count.toLocaleString("en");
  const total = all?.[table];
  return `Goes on behind ${number(rows)}${
    total === undefined ? "" : ` of ${number(total)}`
  } rows of ${table}, which were checked`;
}

function report(
  format: string,
  { tally: { first, count } }: Faults,
  findings: string[],
  notes: string[],
): CheckReport {
  // What is wrong with the dataset as a whole must not drown in bad rows.
  const rows = first.slice(0, Math.max(MOST_PROBLEMS - findings.length, MOST_PROBLEMS / 2));
  const problems = [...rows, ...findings].slice(0, MOST_PROBLEMS);
  return { format, problems, problemCount: count + findings.length, notes };
}

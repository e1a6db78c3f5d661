import type { Corpus } from "../corpus.ts";
import { type CorpusStream, joinInteractions, withoutRatings } from "../corpus_stream.ts";
import { splits } from "../dataset.ts";
import type { DatasetFormat } from "../formats/format.ts";
import { findFormat, openStream } from "../formats/load.ts";
import { byUser, type Purchases } from "../interactions.ts";
import { DatasetCounts, type DatasetStatistics } from "../statistics.ts";
import { percent } from "../../base/round.ts";
import { UserError } from "../../base/user_error.ts";
import { CatalogueCheck } from "./catalogue.ts";
import { Findings } from "./findings.ts";
import { checkInteractions, SampleCheck } from "./samples.ts";
import { checkSids } from "./sids.ts";

/** Most problems that are listed. */
export const MOST_PROBLEMS = 20;

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

/** Facts and counts of a checked dataset. */
export type CheckedDataset = Pick<Corpus, "name" | "source" | "license" | "split" | "maxHistory"> & {
  /** What it holds. */
  statistics: DatasetStatistics;
};

/**
 * Validates a dataset directory of any supported format (or built-in data by name) to its depth and counts what it
 * holds. Faults are reported, not thrown. Throws `UserError` where no format fits.
 */
export async function checkDataset(dir: string): Promise<CheckReport> {
  return await checkWatched(await findFormat(dir), dir, (stream) => stream);
}

/** The same of a known format; `watched` is told of what is gone through, and gives what is gone through instead. */
export async function checkWatched(
  format: DatasetFormat,
  dir: string,
  watched: (stream: CorpusStream) => CorpusStream,
): Promise<CheckReport> {
  const faults = new Faults();
  const findings = new Findings();
  let checked: Checked;
  try {
    using stream = await openStream(format, dir, faults.add);
    checked = await checkStream(watched(stream), findings);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return report(format.name, faults, [error.message], []);
  }
  const { dataset, notes } = checked;
  await format.verify?.(dir, dataset.statistics, faults.add);
  return { ...report(format.name, faults, findings.lines, notes), dataset };
}

/** What a dataset is, beside its faults. */
interface Checked {
  dataset: CheckedDataset;
  notes: string[];
}

/** Goes through a dataset once; of what it holds, ids, the log and a few numbers a sample are kept. */
async function checkStream(stream: CorpusStream, findings: Findings): Promise<Checked> {
  const { name, source, license, split, maxHistory } = stream;
  const counts = new DatasetCounts();
  const catalogue = new CatalogueCheck(findings);
  for await (const items of stream.items()) {
    catalogue.addItems(items);
    counts.addItems(items);
  }
  let users = 0;
  for await (const some of stream.users()) {
    catalogue.addUsers(some);
    counts.addUsers(some);
    users += some.length;
  }
  catalogue.end();
  const { purchases, untimed } = await checkLog(stream, users, counts, findings);
  const samples = new SampleCheck(purchases, { split, maxHistory, users }, findings);
  for (const split of splits) {
    for await (const some of stream.samples(split)) {
      samples.add(split, some);
      counts.addSamples(split, some);
    }
  }
  samples.end();
  const { sids, unread } = await stream.rest();
  if (sids !== undefined) checkSids(sids, findings);
  const statistics = counts.statistics(sids);
  return {
    dataset: { name, source, license, split, maxHistory, statistics },
    notes: notesOn(untimed, statistics, unread),
  };
}

/** The log by user, and how many of its interactions have no time where others have; its order is not kept. */
async function checkLog(
  stream: CorpusStream,
  users: number,
  counts: DatasetCounts,
  findings: Findings,
): Promise<{ purchases: Purchases; untimed: number }> {
  const interactions = await joinInteractions(withoutRatings(stream.interactions()));
  counts.addInteractions(interactions);
  checkInteractions(interactions, findings);
  const { times = new Float64Array() } = interactions;
  const untimed = times.reduce((count, time) => count + Number(Number.isNaN(time)), 0);
  return { purchases: byUser(interactions, users), untimed: untimed < times.length ? untimed : 0 };
}

/** Faults of single rows: a broken file has many, of which the first are enough. */
class Faults {
  readonly first: string[] = [];
  count = 0;

  readonly add = ({ message }: UserError): void => {
    if (this.count++ < MOST_PROBLEMS) this.first.push(message);
  };
}

function report(format: string, { first, count }: Faults, findings: string[], notes: string[]): CheckReport {
  // What is wrong with the dataset as a whole must not drown in bad rows.
  const rows = first.slice(0, Math.max(MOST_PROBLEMS - findings.length, MOST_PROBLEMS / 2));
  const problems = [...rows, ...findings].slice(0, MOST_PROBLEMS);
  return { format, problems, problemCount: count + findings.length, notes };
}

function notesOn(
  untimed: number,
  statistics: DatasetStatistics,
  unread: readonly string[],
): string[] {
  const { unusedItems, untitledItems, sids, sameSecond, repeatedInteractions } = statistics;
  const lengths = Object.keys(sids?.lengths ?? {});
  return [
    ...splits.filter((split) => statistics[split] === 0).map((split) => `no ${split} samples`),
    ...(untitledItems === statistics.items ? ["no item has a title"] : []),
    ...(unusedItems > 0 ? [`${unusedItems} items have no interaction`] : []),
    ...(untimed > 0
      ? [`${untimed} interactions have no time: they count as earlier than those of the user that have one`]
      : []),
    ...(sameSecond > 0
      ? [`same second as the one before: ${percent(sameSecond)} of interactions, in the order of the files`]
      : []),
    ...(repeatedInteractions > 0
      ? [`${repeatedInteractions} interactions repeat the user, item and second of an earlier one`]
      : []),
    ...(sids && sids.collidingItems > 0 ? [`${sids.collidingItems} items share their SID with another`] : []),
    ...(lengths.length > 1 ? [`SIDs have ${lengths.join(" or ")} tokens`] : []),
    ...unread.map((what) => `not in the dataset: ${what}`),
  ];
}
